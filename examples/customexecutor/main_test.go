package main

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/executortest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// E3, E4: one order is lost and some find the queue full. That takes one more
// attempt, and nothing else shows.
func TestRun(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	require.Equal(t, `o
  o
    o
      o
        o
          o
6 frames, drawn in 7 attempts
`, out.String())
}

// play is a program for the suite.
func play(ctx context.Context, p *Process) int {
	return executortest.Play(ctx, executortest.Process{
		Args: p.Args, Environment: p.Env, Stdout: p.Stdout, Stderr: p.Stderr, Kill: p.PowerOff,
	})
}

func farm(tb testing.TB, c FarmConfig) *Executor {
	tb.Helper()
	c.Programs = map[string]Program{"play": play}
	f := NewFarm(c)
	tb.Cleanup(f.Close)
	return &Executor{Farm: f, Grace: 100 * time.Millisecond}
}

// TestConformance is all that an executor's author writes to have every rule
// checked.
func TestConformance(t *testing.T) {
	t.Parallel()
	jobs := executortest.Commands("play")
	jobs.Tree, jobs.Orphan = nil, nil
	executortest.Run(t, executortest.Config{
		New: func(tb testing.TB) executor.Executor {
			tb.Helper()
			return farm(tb, FarmConfig{Machines: 8, Queue: 200})
		},
		Jobs: jobs,
		Lost: func(tb testing.TB) executortest.Fault {
			tb.Helper()
			return executortest.Fault{
				Executor: farm(tb, FarmConfig{
					Machines: 1, Queue: 1, Breaks: func(int) bool { return true },
				}),
				Job: jobs.Wait,
			}
		},
		NotStarted: full,
		Weaker: executortest.Weaker{
			NoDescendants: "programs of the farm cannot start others",
		},
	})
}

// full is a farm with one machine, which is busy, and a queue for one, which is
// taken.
func full(tb testing.TB) executortest.Fault {
	tb.Helper()
	e := farm(tb, FarmConfig{Machines: 1, Queue: 1})
	gate := make(chan struct{})
	begun := make(chan struct{}, 2)
	e.Farm.programs["busy"] = func(context.Context, *Process) int {
		<-gate
		return 0
	}
	var last *Ticket
	for range 2 {
		ticket, err := e.Farm.Submit(Order{
			Words: []string{"busy"}, OnStart: func() { begun <- struct{}{} },
		})
		require.NoError(tb, err)
		if last == nil {
			<-begun // so that the second one waits in the queue
		}
		last = ticket
	}
	return executortest.Fault{
		Executor: e,
		Job:      executortest.Commands("play").Wait,
		Relieve: func() {
			close(gate)
			<-last.Done()
		},
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	e := farm(t, FarmConfig{Machines: 1})
	words := []string{"play"}
	for name, tc := range map[string]struct {
		job dag.Job
		ok  bool
	}{
		"a program":      {dag.Command("play"), true},
		"a placeholder":  {dag.Command("{{PROGRAM}}"), true},
		"no command":     {dag.Job{}, false},
		"no program":     {dag.Command("plai"), false},
		"a string":       {dag.Job{CommandString: "play"}, false},
		"a directory":    {dag.Job{Command: words, WorkDir: "/"}, false},
		"an option":      {dag.Job{Command: words, Options: map[string]any{"x": 1}}, false},
		"some resources": {dag.Job{Command: words, Resources: dag.Resources{"x": 1}}, false},
	} {
		require.Equal(t, tc.ok, e.Validate(tc.job) == nil, name)
	}
}
