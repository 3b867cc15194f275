package runner_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/memlog"
)

func TestResumeGoesOn(t *testing.T) { // L4, R8
	t.Parallel()
	log := memlog.New()
	started := make(chan struct{})
	var block atomic.Bool
	block.Store(true)
	ex := &recorder{do: func(ctx context.Context, a *attempt) (result, error) {
		switch {
		case a.Task == "gen":
			_, _ = a.Stdout.Write([]byte(`{"made": {"command": ["x"], "children": ["last"]}}`))
		case a.Task == "b" && block.Load():
			close(started)
			<-ctx.Done()
			return result{}, context.Cause(ctx)
		}
		return result{}, nil
	}}
	r := &runner.Runner{Executor: ex, Log: log, MaxRunning: 1}
	d := tasks(task("gen"), task("a", "gen"), task("b", "a"), task("last", "b"))
	d.Tasks[0].Generator = true
	h, err := r.Ensure(t.Context(), "nightly", d)
	require.NoError(t, err)
	<-started
	again, err := r.Ensure(t.Context(), "nightly", d)
	require.NoError(t, err)
	require.Equal(t, h, again)
	require.NoError(t, h.Stop(t.Context()))
	block.Store(false)

	changed := tasks(d.Tasks...)
	changed.Tasks = slices.Clone(changed.Tasks)
	changed.Tasks[1].MaxRetries = 3
	_, err = r.Ensure(t.Context(), "nightly", changed)
	require.ErrorIs(t, err, runner.ErrDefinitionChanged)
	require.ErrorContains(t, err, `task "a" changed`)

	h, err = r.Ensure(t.Context(), "nightly", d)
	require.NoError(t, err)
	report, err := h.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, 5, report.Counts[runner.Completed])
	require.ElementsMatch(t, []string{"gen", "a", "made", "b", "b", "last"}, ex.order())

	h, err = r.Resume(t.Context(), "nightly")
	require.NoError(t, err)
	report, err = h.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, runner.RunCompleted, report.State)
	require.Len(t, ex.order(), 6)
	_, err = r.Retry(t.Context(), "nightly")
	require.ErrorIs(t, err, runner.ErrNothing)
	_, err = r.Resume(t.Context(), "weekly")
	require.ErrorIs(t, err, statelog.ErrNoRun)
}

func TestRetryReopensAClosedRun(t *testing.T) { // R8
	t.Parallel()
	var broken atomic.Bool
	broken.Store(true)
	ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
		if a.Task == "a" && broken.Load() {
			return fail(1)
		}
		return result{}, nil
	}}
	r := &runner.Runner{Executor: ex, Log: memlog.New()}
	h, err := r.Ensure(t.Context(), "x", tasks(task("a"), task("b", "a"), task("c")))
	require.NoError(t, err)
	report, err := h.Wait(t.Context())
	require.Error(t, err)
	require.Equal(t, runner.RunFailed, report.State)
	broken.Store(false)
	h, err = r.Retry(t.Context(), "x")
	require.NoError(t, err)
	report, err = h.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, runner.RunCompleted, report.State)
	a, _ := report.Task("a")
	require.Equal(t, 2, a.Attempts)
	require.Len(t, ex.order(), 4)
}

// A definition that did not change is the same, whatever it holds.
func TestEnsureOfTheSameDefinition(t *testing.T) { // R9
	t.Parallel()
	log := memlog.New()
	d := tasks(task("a"), dag.Task{Name: "gate", Parents: []string{"a"}}, task("b", "gate"),
		dag.Task{Name: "empty", Job: dag.Job{Command: []string{}}})
	for range 2 {
		r := &runner.Runner{Executor: &recorder{}, Log: log}
		h, err := r.Ensure(t.Context(), "x", d)
		require.NoError(t, err)
		report, err := h.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, 4, report.Counts[runner.Completed])
	}
}
