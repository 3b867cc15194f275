package runnertest_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/inproc"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/runner/runnertest"
)

// A failing is a test that is expected to fail.
type failing struct {
	testing.TB
	text string
}

func (f *failing) Helper() {}

func (f *failing) Fatalf(format string, args ...any) {
	f.text = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// failure runs f and returns how its test failed, "" if it did not.
func failure(t *testing.T, f func(tb *failing)) string {
	t.Helper()
	tb := &failing{TB: t}
	over := make(chan struct{})
	go func() {
		defer close(over)
		f(tb)
	}()
	<-over
	return tb.text
}

// The assertions are tested: each of these must fail, and say why.
func TestAssertionsFail(t *testing.T) {
	t.Parallel()
	d := &dag.DAG{
		Parameters: dag.Parameters{"N": dag.List("1", "2")},
		Tasks: []dag.Task{
			{Name: "a", Job: dag.Command("ok")},
			{Name: "b", Job: dag.Command("ok", "{{N}}"), Parents: []string{"a"}},
			{Name: "bad", Job: dag.Command("bad"), Parents: []string{"b"}},
			{Name: "never", Job: dag.Command("ok"), Parents: []string{"bad"}},
			{Name: "long", Job: dag.Command("long")},
		},
	}
	res := runnertest.Run(t, d, runnertest.Config{
		Funcs: inproc.Funcs{
			"ok": runnertest.Print("1234567890"), "bad": runnertest.Exit(3),
			"long": runnertest.Print("more than is kept"),
		},
		Runner: &runner.Runner{Output: runner.Output{PerAttempt: 10}},
	})
	for _, tc := range []struct {
		name string
		do   func(tb *failing)
		want []string // parts of what it says
	}{
		{"completed", func(tb *failing) { res.RequireCompleted(tb) }, []string{`"bad"`, "exit 3"}},
		{
			"state", func(tb *failing) { res.RequireState(tb, "a", runner.Failed) },
			[]string{`"a" is completed, not failed`, "exit 3"},
		},
		{
			"state of a task", func(tb *failing) { res.RequireState(tb, "b", runner.Failed) },
			[]string{`"b_1" is completed`},
		},
		{
			"state of what is not there",
			func(tb *failing) { res.RequireState(tb, "x", runner.Failed) },
			[]string{`no task or instance "x"`},
		},
		{
			"attempts", func(tb *failing) { res.RequireAttempts(tb, "bad", 2) },
			[]string{`"bad" had 1 attempts, not 2`},
		},
		{
			"order", func(tb *failing) { res.RequireOrder(tb, "a", "bad", "b_1") },
			[]string{`"b_1" was started before "bad" was over`},
		},
		{
			"order of one that overlaps", func(tb *failing) { res.RequireOrder(tb, "b", "b") },
			[]string{`"b" was started before "b" was over`},
		},
		{
			"order of what never started",
			func(tb *failing) { res.RequireOrder(tb, "a", "never") },
			[]string{`"never" was never started`, `"bad"]`},
		},
		{
			"report of a task", func(tb *failing) { res.Task(tb, "b") },
			[]string{`no instance "b"`},
		},
		{
			"output", func(tb *failing) { res.Stdout(tb, "long") },
			[]string{`7 bytes of the output of "long"`},
		},
		{
			"output of what is not there", func(tb *failing) { res.Stderr(tb, "x") },
			[]string{`no instance "x"`},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			text := failure(t, tc.do)
			require.NotEmpty(t, text, "it did not fail")
			for _, part := range tc.want {
				require.Contains(t, text, part)
			}
		})
	}
}

// A run in which everybody waits ends, and the failure names who.
func TestStuck(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		c       runnertest.Config
		timeout string
	}{
		{"default", runnertest.Config{}, "876000h0m0s"},
		{"given", runnertest.Config{Timeout: time.Hour}, "1h0m0s"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &dag.DAG{Tasks: []dag.Task{
					{Name: "quick", Job: dag.Command("quick")},
					{Name: "stuck", Job: dag.Command("stuck")},
					{Name: "behind", Job: dag.Command("quick"), Parents: []string{"stuck"}},
				}}
				for i := range 20 {
					d.Tasks = append(d.Tasks, dag.Task{
						Name: fmt.Sprint("more", i), Parents: []string{"stuck"},
					})
				}
				tc.c.Funcs = inproc.Funcs{
					"quick": runnertest.Exit(0),
					"stuck": func(ctx context.Context, _ *inproc.Call) error {
						<-ctx.Done()
						return context.Cause(ctx)
					},
				}
				text := failure(t, func(tb *failing) { runnertest.RunInBubble(tb, d, tc.c) })
				require.Contains(t, text, tc.timeout)
				require.Contains(t, text, "stuck is running, behind is waiting")
				require.Contains(t, text, "and more")
				require.NotContains(t, text, "quick")
			})
		})
	}
}

// goexit ends the goroutine, as a failing assertion does.
func goexit() { runtime.Goexit() }
