package sim_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/executortest"
	"github.com/daggy-go/daggy/executor/sim"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, durable := range map[string]bool{"attached": false, "durable": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			executortest.Run(t, conformance(durable))
		})
	}
}

func conformance(durable bool) executortest.Config {
	jobs := executortest.Commands("play")
	jobs.Arguments, jobs.Missing = nil, nil
	fault := func(b sim.Behaviour) func(testing.TB) executortest.Fault {
		return func(tb testing.TB) executortest.Fault {
			tb.Helper()
			var relieved atomic.Bool
			return executortest.Fault{
				Executor: sim.New(sim.Config{Durable: durable, Behave: faulty(tb, b, &relieved)}),
				Job:      jobs.Wait,
				Relieve:  func() { relieved.Store(true) },
			}
		}
	}
	return executortest.Config{
		New: func(tb testing.TB) executor.Executor {
			tb.Helper()
			return sim.New(sim.Config{
				Behave:  acting(tb),
				Durable: durable,
				Allocator: capacity.New(
					capacity.Node{Name: "n", Total: dag.Resources{dag.Cores: 2}},
				),
			})
		},
		Jobs:       jobs,
		Lost:       fault(sim.Behaviour{Lost: 1}),
		NotStarted: fault(sim.Behaviour{NotStarted: 1000}),
		Weaker: executortest.Weaker{
			CannotAsk:     "what is simulated prints nothing when it is stopped",
			AcceptsAnyJob: "every job can be simulated",
			NoEnvironment: "nothing looks at the environment",
			NoDescendants: "what is simulated starts nothing",
		},
	}
}

type behave = func(*executor.Attempt, *rand.Rand) sim.Behaviour

// faulty behaves like b until it is relieved.
func faulty(tb testing.TB, b sim.Behaviour, relieved *atomic.Bool) behave {
	tb.Helper()
	return func(a *executor.Attempt, r *rand.Rand) sim.Behaviour {
		if relieved.Load() {
			return acting(tb)(a, r)
		}
		return b
	}
}

// acting behaves like the jobs of the suite.
func acting(tb testing.TB) behave {
	tb.Helper()
	return func(a *executor.Attempt, _ *rand.Rand) sim.Behaviour {
		words := a.Job.Command[1:]
		switch words[0] {
		case "exit":
			code, err := strconv.Atoi(words[1])
			if err != nil {
				tb.Error(err)
			}
			return sim.Behaviour{ExitCode: code}
		case "panic":
			return sim.Behaviour{Panic: executortest.PanicValue}
		case "wait", "stubborn":
			return holding(tb, words[1])
		}
		return sim.Behaviour{Output: func(stdout, stderr io.Writer) error {
			p := executortest.Process{Args: words, Stdout: stdout, Stderr: stderr}
			if code := executortest.Play(context.Background(), p); code != 0 {
				tb.Errorf("%q: exit %d", words, code)
			}
			return nil
		}}
	}
}

// holding keeps a connection for as long as the attempt runs.
func holding(tb testing.TB, address string) sim.Behaviour {
	tb.Helper()
	var conn net.Conn
	until := make(chan struct{})
	return sim.Behaviour{
		Duration: time.Millisecond,
		Until:    until,
		Last:     executortest.Ended,
		OnStart: func() {
			c, err := net.Dial("tcp", address)
			if err != nil {
				tb.Error(err)
				close(until)
				return
			}
			conn = c
			go func() {
				defer close(until)
				_, _ = io.Copy(io.Discard, c)
			}()
		},
		OnEnd: func() {
			if conn != nil {
				_ = conn.Close()
			}
		},
	}
}
