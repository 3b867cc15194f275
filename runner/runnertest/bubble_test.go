package runnertest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/inproc"
	"github.com/daggy-go/daggy/executor/sim"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/runner/runnertest"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/memlog"
)

// slowLog is a log whose appends take time, as those of a disk do.
type slowLog struct{ statelog.StateLogger }

func (l slowLog) Append(
	ctx context.Context, run string, after uint64, recs []statelog.Record,
) (uint64, error) {
	<-time.After(time.Millisecond)
	return l.StateLogger.Append(ctx, run, after, recs)
}

// Everything that the runner has goroutines and timers for works in a bubble:
// nothing stops its clock, nothing is left behind.
func TestRunnerInABubble(t *testing.T) {
	t.Parallel()
	told := []runner.Observer{{Event: func(h *runner.Handle, _ runner.Event) { h.Counts() }}}
	for _, tc := range []struct {
		name     string
		settings func() *runner.Runner
		nodes    []capacity.Node
	}{
		{"plain", func() *runner.Runner { return nil }, nil},
		{"observed", func() *runner.Runner { return &runner.Runner{Observers: told} }, nil},
		{"log that takes its time", func() *runner.Runner {
			return &runner.Runner{Log: slowLog{memlog.New()}, Observers: told}
		}, nil},
		{
			"allocator", func() *runner.Runner { return &runner.Runner{LongestPathFirst: true} },
			[]capacity.Node{
				{Name: "a", Total: dag.Resources{dag.Cores: 4}},
				{Name: "b", Total: dag.Resources{dag.Cores: 2}},
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d, behave := mixed()
			sims := sim.Config{Script: behave}
			if tc.nodes != nil {
				sims.Allocator = capacity.New(tc.nodes...)
			}
			res := runnertest.Run(t, d, runnertest.Config{
				Executor: sim.New(sims), Runner: tc.settings(),
			})
			res.RequireCompleted(t)
			res.RequireAttempts(t, "retried", 3)
			res.RequireAttempts(t, "lost", 2)
			res.RequireOrder(t, "retried", "join", "last")
			require.GreaterOrEqual(t, res.Elapsed, 3*time.Hour)
			require.Less(t, res.Elapsed, 4*time.Hour)
		})
	}
}

// mixed has retries, losses, refusals, pauses, limits and many instances.
func mixed() (*dag.DAG, map[string]sim.Behaviour) {
	d := &dag.DAG{
		Parameters: dag.Parameters{"N": dag.List(make([]string, 40)...)},
		Tasks: []dag.Task{
			{Name: "retried", MaxRetries: 2, RetryInterval: time.Hour},
			{Name: "lost"},
			{Name: "refused"},
			{Name: "limited", MaxRetries: 1},
			{Name: "many", Job: dag.Command("x", "{{N}}")},
			{Name: "join", Parents: []string{"retried", "lost", "refused", "limited", "many"}},
			{Name: "last", Parents: []string{"join"}},
		},
	}
	for i := range d.Tasks {
		j := &d.Tasks[i].Job
		if j.Command == nil {
			j.Command = []string{"x"}
		}
		j.Resources = dag.Resources{dag.Cores: int64(1 + i%3)}
	}
	d.Tasks[3].Job.TimeLimit = time.Minute
	return d, map[string]sim.Behaviour{
		"retried": {Duration: time.Minute, Fail: 2},
		"lost":    {Duration: time.Minute, Lost: 1},
		"refused": {NotStarted: 3, RetryAfter: time.Minute, Duration: time.Minute},
		"many":    {Duration: time.Second},
		"last":    {Duration: time.Hour},
	}
}

// R4, R5: what goes wrong in a function does not hang the bubble.
func TestTroubleInABubble(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		f     inproc.Func
		then  func(h *runner.Handle)
		state runner.State
	}{
		{
			name: "Goexit", state: runner.Failed,
			f: func(context.Context, *inproc.Call) error {
				goexit()
				return nil
			},
		},
		{
			name: "panic", state: runner.Failed,
			f: func(context.Context, *inproc.Call) error { panic("oh") },
		},
		{
			name: "abort", state: runner.Killed, f: runnertest.Take(time.Hour, nil),
			then: func(h *runner.Handle) { _ = h.Abort(context.Background(), "enough") },
		},
		{
			name: "interruption", state: runner.Waiting, f: runnertest.Take(time.Hour, nil),
			then: func(h *runner.Handle) { _ = h.Stop(context.Background()) },
		},
		{
			name: "deaf for a while", state: runner.Waiting,
			f: func(context.Context, *inproc.Call) error {
				<-time.After(10 * time.Second)
				return inproc.ExitError(1)
			},
			then: func(h *runner.Handle) { _ = h.Stop(context.Background()) },
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			res := runnertest.Run(t, &dag.DAG{Tasks: []dag.Task{
				{Name: "x", Job: dag.Command("x")},
			}}, runnertest.Config{Default: tc.f, Meanwhile: func(h *runner.Handle) {
				<-time.After(time.Second)
				if tc.then != nil {
					tc.then(h)
				}
			}})
			res.RequireState(t, "x", tc.state)
			require.Error(t, res.Err)
			require.LessOrEqual(t, res.Elapsed, 10*time.Second)
		})
	}
}

// Many bubbles at once keep their times apart.
func TestManyBubbles(t *testing.T) {
	t.Parallel()
	for i := range 20 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			res := runnertest.Run(t, &dag.DAG{Tasks: []dag.Task{
				{Name: "x", Job: dag.Command("x")},
			}}, runnertest.Config{Executor: executor.RunFunc(
				func(context.Context, *executor.Attempt) (executor.Result, error) {
					<-time.After(time.Duration(i) * time.Minute)
					return executor.Result{}, nil
				},
			)})
			res.RequireCompleted(t)
			require.Equal(t, time.Duration(i)*time.Minute, res.Elapsed)
		})
	}
}
