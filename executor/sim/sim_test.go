package sim_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/sim"
)

func attempt(instance string, number int) *executor.Attempt {
	return &executor.Attempt{
		Run: "r", Task: "task", Instance: instance, Number: number,
		Key:    fmt.Sprintf("%s-%d", instance, number),
		Stdout: io.Discard, Stderr: io.Discard,
	}
}

// run returns "success", "exit 3", "lost", … for one attempt.
func run(ctx context.Context, ex executor.Executor, a *executor.Attempt) (said string) {
	defer func() {
		if v := recover(); v != nil {
			said = fmt.Sprint("panic ", v)
		}
	}()
	res, err := ex.Run(ctx, a)
	if _, ok := errors.AsType[*executor.LostError](err); ok {
		return "lost"
	}
	if _, ok := errors.AsType[*executor.NotStartedError](err); ok {
		return "not started"
	}
	if err != nil {
		return err.Error()
	}
	return res.String()
}

func TestBehaviour(t *testing.T) {
	t.Parallel()
	oops := errors.New("oops")
	for name, test := range map[string]struct {
		behaviour sim.Behaviour
		want      []string // of the calls of Run, as the runner would make them
	}{
		"zero": {
			sim.Behaviour{},
			[]string{"success", "success"},
		},
		"exit code": {
			sim.Behaviour{ExitCode: 3},
			[]string{"failure (exit 3)", "failure (exit 3)"},
		},
		"fail once": {
			sim.Behaviour{Fail: 1},
			[]string{"failure (exit 1)", "success"},
		},
		"fail once with 3": {
			sim.Behaviour{Fail: 1, ExitCode: 3},
			[]string{"failure (exit 3)", "success"},
		},
		"lost once": {
			sim.Behaviour{Lost: 1},
			[]string{"lost", "success"},
		},
		"lost, then failed": {
			sim.Behaviour{Lost: 1, Fail: 1},
			[]string{"lost", "failure (exit 1)", "success"},
		},
		"out of memory": {
			sim.Behaviour{Cause: executor.CauseMemory},
			[]string{"failure (out of memory)"},
		},
		"error": {
			sim.Behaviour{Err: oops, Fail: 1},
			[]string{"oops", "success"},
		},
		"panic": {
			sim.Behaviour{Panic: "boo", Fail: 1},
			[]string{"panic boo", "success"},
		},
		"refused, then lost": {
			sim.Behaviour{NotStarted: 1, Lost: 1},
			[]string{"not started", "lost", "not started", "success"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ex := sim.New(sim.Config{Script: map[string]sim.Behaviour{"task": test.behaviour}})
			number := 1
			for i, want := range test.want {
				got := run(t.Context(), ex, attempt("task", number))
				require.Equal(t, want, got, "call %d", i)
				if got != "not started" {
					number++
				}
			}
		})
	}
}

func TestScriptPrefersTheInstance(t *testing.T) {
	t.Parallel()
	ex := sim.New(sim.Config{
		Script: map[string]sim.Behaviour{
			"task":   {ExitCode: 1},
			"task_2": {ExitCode: 2},
		},
		Default: sim.Behaviour{ExitCode: 9},
	})
	require.Equal(t, "failure (exit 1)", run(t.Context(), ex, attempt("task_1", 1)))
	require.Equal(t, "failure (exit 2)", run(t.Context(), ex, attempt("task_2", 1)))
	other := attempt("other", 1)
	other.Task = "other"
	require.Equal(t, "failure (exit 9)", run(t.Context(), ex, other))
}

func TestTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ex := sim.New(sim.Config{Default: sim.Behaviour{Wait: time.Hour, Duration: 2 * time.Hour}})
		begin := time.Now()
		a := attempt("task", 1)
		a.Node = "n1"
		var reports []string
		a.OnReport = func(s executor.Status) {
			reports = append(reports,
				fmt.Sprintf("%v running=%v %s", time.Since(begin), s.Running, s.Reason))
		}
		res, err := ex.Run(t.Context(), a)
		require.NoError(t, err)
		require.Equal(t, 3*time.Hour, time.Since(begin))
		require.Equal(t, executor.Result{
			Node: "n1", Start: begin.Add(time.Hour), End: begin.Add(3 * time.Hour),
		}, res)
		require.Equal(t, []string{
			"0s running=false waits in a simulated queue", "1h0m0s running=true ",
		}, reports)
	})
}

func TestStop(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		behaviour sim.Behaviour
		cause     error
		want      string
		took      time.Duration
	}{
		"at once": {
			behaviour: sim.Behaviour{Duration: time.Hour},
			cause:     context.Canceled,
			want:      "failure (SIGTERM)",
			took:      time.Minute,
		},
		"slowly": {
			behaviour: sim.Behaviour{Duration: time.Hour, StopTime: time.Second},
			cause:     context.Canceled,
			want:      "failure (SIGTERM)",
			took:      time.Minute + time.Second,
		},
		"never (R5)": {
			behaviour: sim.Behaviour{Duration: time.Hour, IgnoreStop: true},
			cause:     context.Canceled,
			want:      "success",
			took:      time.Hour,
		},
		"at the time limit (E7)": {
			behaviour: sim.Behaviour{Duration: time.Hour},
			cause:     executor.ErrTimeLimit,
			want:      "failure (time limit)",
			took:      time.Minute,
		},
		"in the queue": {
			behaviour: sim.Behaviour{Wait: time.Hour},
			cause:     context.Canceled,
			want:      "sim: not started: context canceled",
			took:      time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Minute, func() { cancel(test.cause) })
				begin := time.Now()
				ex := sim.New(sim.Config{Default: test.behaviour})
				require.Equal(t, test.want, run(ctx, ex, attempt("task", 1)))
				require.Equal(t, test.took, time.Since(begin))
				require.Zero(t, ex.Stats().Running)
			})
		})
	}
}

// TestDetach leaves an attempt alone for most of its time (E5).
func TestDetach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := 0
		ex := sim.New(sim.Config{Durable: true, Default: sim.Behaviour{
			Duration: time.Hour, Stdout: "first ", Last: "last", OnEnd: func() { ended++ },
		}})
		ctx, detach := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { detach(executor.ErrDetach) })
		_, err := ex.Run(ctx, attempt("task", 1))
		require.ErrorIs(t, err, executor.ErrDetach)
		require.Equal(t, 1, ex.Stats().Running)

		<-time.After(40 * time.Minute)
		begin := time.Now()
		var stdout strings.Builder
		again := attempt("task", 1)
		again.Resumed, again.Stdout = true, &stdout
		require.Equal(t, "success", run(t.Context(), ex, again))
		require.Equal(t, 19*time.Minute, time.Since(begin))
		require.Equal(t, "first last", stdout.String())
		require.Equal(t, 1, ended)
		require.Equal(t, sim.Stats{Started: 1, Peak: 1}, ex.Stats())
	})
}

func TestStatsAndStarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ex := sim.New(sim.Config{Default: sim.Behaviour{Duration: time.Hour}, Remember: 2})
		for i := range 3 {
			go run(t.Context(), ex, attempt(fmt.Sprint("task_", i), 1))
			synctest.Wait()
		}
		require.Equal(t, sim.Stats{Started: 3, Running: 3, Peak: 3}, ex.Stats())
		starts := ex.Starts()
		require.Len(t, starts, 2)
		require.Equal(t, "task_0", starts[0].Instance)
		require.Equal(t, "task_1", starts[1].Instance)
		<-time.After(2 * time.Hour)
		require.Equal(t, sim.Stats{Started: 3, Peak: 3}, ex.Stats())
	})
}

// TestDrawsDependOnNothingElse runs the same attempts in another order.
func TestDrawsDependOnNothingElse(t *testing.T) {
	t.Parallel()
	draw := func(seed uint64, order []int) map[int]string {
		said := map[int]string{}
		synctest.Test(t, func(t *testing.T) {
			ex := sim.New(sim.Config{Seed: seed, Behave: sim.Random{
				Duration: sim.LogNormal(time.Minute, 1), NotStarted: 0.2,
				Lost: 0.2, Fail: 0.2, Panic: 0.2,
			}.Behave})
			for _, i := range order {
				begin := time.Now()
				outcome := run(t.Context(), ex, attempt(fmt.Sprint("task_", i%20), 1+i/20))
				said[i] = fmt.Sprint(outcome, " after ", time.Since(begin))
			}
		})
		return said
	}
	order := rand.Perm(100)
	up := make([]int, 100)
	for i := range up {
		up[i] = i
	}
	first := draw(1, up)
	require.Equal(t, first, draw(1, order))
	require.NotEqual(t, first, draw(2, up))
}

func TestRandomRates(t *testing.T) {
	t.Parallel()
	const n = 20_000
	random := sim.Random{Lost: 0.1, Fail: 0.2, ExitCode: 7, NotStarted: 0.5}
	ex := sim.New(sim.Config{Behave: random.Behave})
	count := map[string]float64{}
	for i := range n {
		a := attempt(fmt.Sprint("task_", i), 1)
		outcome := run(t.Context(), ex, a)
		for outcome == "not started" {
			count[outcome]++
			outcome = run(t.Context(), ex, a)
		}
		count[outcome]++
	}
	for outcome, want := range map[string]float64{
		"lost": 0.1, "failure (exit 7)": 0.9 * 0.2, "success": 0.9 * 0.8, "not started": 1,
	} {
		require.InDelta(t, want, count[outcome]/n, 0.03, outcome)
	}
}

func TestDistributions(t *testing.T) {
	t.Parallel()
	mean := func(d sim.Distribution) (seconds, least, most float64) {
		r := rand.New(rand.NewPCG(1, 2))
		least = math.Inf(1)
		for range 20_000 {
			s := d(r).Seconds()
			seconds += s / 20_000
			least, most = min(least, s), max(most, s)
		}
		return seconds, least, most
	}
	for name, test := range map[string]struct {
		d                 sim.Distribution
		mean, least, most float64
	}{
		"fixed":       {sim.Fixed(time.Minute), 60, 60, 60},
		"uniform":     {sim.Uniform(time.Second, 3*time.Second), 2, 1, 3},
		"exponential": {sim.Exponential(time.Second), 1, 0, math.Inf(1)},
		"log-normal":  {sim.LogNormal(time.Second, 0.5), math.Exp(0.125), 0, math.Inf(1)},
		"overflow":    {sim.LogNormal(math.MaxInt64, 1), 3.1536e9, 0, 3.1536e9},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, least, most := mean(test.d)
			require.InEpsilon(t, test.mean, got, 0.05)
			require.GreaterOrEqual(t, least, test.least)
			require.LessOrEqual(t, most, test.most)
		})
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	refusal := errors.New("no")
	require.NoError(t, sim.New(sim.Config{}).Validate(dag.Command("any")))
	ex := sim.New(sim.Config{Validate: func(dag.Job) error { return refusal }})
	require.ErrorIs(t, ex.Validate(dag.Command("any")), refusal)
}

// failing is a full disk.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]sim.Behaviour{
		"at the start": {Stdout: "x"},
		"at the end":   {Last: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := attempt("task", 1)
			a.Stdout = failing{}
			_, err := sim.New(sim.Config{Default: b}).Run(t.Context(), a)
			require.ErrorIs(t, err, io.ErrShortWrite)
		})
	}
}
