package runner_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
)

func TestParentsRunFirst(t *testing.T) { // D1
	t.Parallel()
	ex := &recorder{}
	d := tasks(task("c", "b"), task("a"), task("b", "a"))
	d.Tasks[1].Children = []string{"b"} // the same edge once more
	report, err := (&runner.Runner{Executor: ex}).Run(t.Context(), d)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c"}, ex.order())
	require.Equal(t, runner.RunCompleted, report.State)
	require.Equal(t, map[runner.State]int{runner.Completed: 3}, report.Counts)
}

func TestFailureStopsWhatDependsOnIt(t *testing.T) { // R2
	t.Parallel()
	ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
		if a.Task == "bad" {
			_, _ = a.Stderr.Write([]byte("no such thing\n"))
			return fail(3)
		}
		return result{}, nil
	}}
	d := tasks(task("bad"), task("after", "bad"), task("last", "after"), task("other"))
	report, err := (&runner.Runner{Executor: ex}).Run(t.Context(), d)
	require.Equal(t, map[string]runner.State{
		"bad": runner.Failed, "after": runner.Skipped, "last": runner.Skipped,
		"other": runner.Completed,
	}, states(report))
	require.Equal(t, runner.RunFailed, report.State)
	failed, ok := errors.AsType[*runner.TaskError](err)
	require.True(t, ok)
	require.Equal(t, "bad", failed.Task)
	require.Equal(t, statelog.Failure, failed.Class)
	require.Equal(t, 3, failed.Result.ExitCode)
	require.Equal(t, "no such thing\n", failed.Tail)
}

func TestPanicsAndGoexitFailTheAttempt(t *testing.T) { // R4
	t.Parallel()
	ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
		switch a.Task {
		case "panics":
			panic("boom")
		case "exits":
			runtime.Goexit()
		case "both":
			defer panic("boom")
			runtime.Goexit()
		}
		return result{}, nil
	}}
	for _, ex := range []executor.Executor{ex, lasting{ex}} {
		report, err := (&runner.Runner{Executor: ex, MaxRunning: 1}).Run(t.Context(),
			tasks(task("panics"), task("exits"), task("both"), task("fine")))
		require.Equal(t, map[string]runner.State{
			"panics": runner.Failed, "exits": runner.Failed, "both": runner.Failed,
			"fine": runner.Completed,
		}, states(report))
		require.Error(t, err)
		for r := range report.Tasks() {
			if r.State == runner.Failed {
				require.Equal(t, statelog.Panicked, r.Class)
				require.Contains(t, r.Reason, "run_test.go", "a stack")
			}
		}
	}
}

func TestCancellationStopsAndInterrupts(t *testing.T) { // R5
	t.Parallel()
	started := make(chan struct{})
	ex := &recorder{do: func(ctx context.Context, _ *attempt) (result, error) {
		close(started)
		<-ctx.Done()
		return result{}, context.Cause(ctx)
	}}
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	go func() { <-started; cancel(reason) }()
	report, err := (&runner.Runner{Executor: ex}).Run(ctx, tasks(task("a"), task("b", "a")))
	require.ErrorIs(t, err, runner.ErrInterrupted)
	require.ErrorIs(t, err, reason)
	require.Equal(t, runner.RunInterrupted, report.State)
	require.Equal(t, map[runner.State]int{runner.Waiting: 2}, report.Counts)
}

func TestExecutorThatDoesNotReturnIsNamed(t *testing.T) { // R5
	t.Parallel()
	release := make(chan struct{})
	done := make(chan struct{})
	started := make(chan struct{})
	ex := &recorder{do: func(context.Context, *attempt) (result, error) {
		close(started)
		<-release
		close(done)
		return result{}, nil
	}}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-started; cancel() }()
	r := &runner.Runner{Executor: ex, StopTimeout: time.Millisecond}
	report, err := r.Run(ctx, tasks(task("stubborn")))
	require.ErrorIs(t, err, runner.ErrStillRunning)
	require.ErrorContains(t, err, "stubborn")
	require.Equal(t, runner.RunInterrupted, report.State)
	close(release)
	<-done
}

func TestFailFastStopsTheRest(t *testing.T) { // R2
	t.Parallel()
	running := make(chan struct{})
	ex := &recorder{do: func(ctx context.Context, a *attempt) (result, error) {
		if a.Task == "bad" {
			<-running
			return fail(1)
		}
		close(running)
		<-ctx.Done()
		return result{}, context.Cause(ctx)
	}}
	r := &runner.Runner{Executor: ex, FailFast: true, MaxRunning: 2}
	report, err := r.Run(t.Context(), tasks(task("bad"), task("long"), task("later")))
	require.Error(t, err)
	require.Equal(t, map[string]runner.State{
		"bad": runner.Failed, "long": runner.Killed, "later": runner.Skipped,
	}, states(report))
}

func TestTimeLimit(t *testing.T) { // E7
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ex := &recorder{do: func(ctx context.Context, a *attempt) (result, error) {
			if a.Task == "queued" {
				a.Report(executor.Status{Ref: "job 1", Reason: "in a queue"})
				<-time.After(time.Hour)
				a.Report(executor.Status{Running: true})
				<-time.After(time.Minute / 2)
				return result{}, nil
			}
			<-ctx.Done()
			return result{}, context.Cause(ctx)
		}}
		d := tasks(task("slow"), task("queued"))
		d.JobDefaults.TimeLimit = time.Minute
		start := time.Now()
		report, err := (&runner.Runner{Executor: ex}).Run(t.Context(), d)
		require.Error(t, err)
		slow, _ := report.Task("slow")
		require.Equal(t, statelog.TimeLimit, slow.Class)
		require.Equal(t, time.Minute, slow.End.Sub(start))
		require.Equal(t, runner.Completed, states(report)["queued"])
	})
}

func TestObserversSeeTheLogInOrder(t *testing.T) { // R11
	t.Parallel()
	var mu sync.Mutex
	var kinds []statelog.Kind
	var seqs []uint64
	bad := runner.Observer{AttemptEnded: func(*runner.Handle, runner.Event) { panic("observer") }}
	good := runner.Observer{Event: func(h *runner.Handle, ev runner.Event) {
		mu.Lock()
		defer mu.Unlock()
		kinds, seqs = append(kinds, ev.Kind), append(seqs, ev.Seq)
		_ = h.Snapshot()
	}}
	r := &runner.Runner{Executor: &recorder{}, Observers: []runner.Observer{bad, good}}
	_, err := r.Run(t.Context(), tasks(task("a"), task("b", "a")))
	require.NoError(t, err)
	require.Equal(t, []uint64{1, 2, 3, 4, 5, 6}, seqs)
	require.Equal(t, []statelog.Kind{
		statelog.Opened, statelog.Intent, statelog.Done, statelog.Intent, statelog.Done,
		statelog.Closed,
	}, kinds)
}

func TestOutputIsKeptAndFollowed(t *testing.T) { // E6
	t.Parallel()
	step := make(chan struct{})
	ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
		_, _ = a.Stdout.Write([]byte("one "))
		<-step
		_, err := a.Stdout.Write([]byte("two and more"))
		return result{}, err
	}}
	for name, dir := range map[string]string{"memory": "", "files": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			r := &runner.Runner{Executor: ex, Output: runner.Output{Dir: dir, PerAttempt: 7}}
			h, err := r.Start(t.Context(), tasks(task("a")))
			require.NoError(t, err)
			out, err := h.Output(t.Context(), "a", runner.OutputQuery{Follow: true})
			require.NoError(t, err)
			buf := make([]byte, 4)
			n, err := out.Read(buf)
			require.NoError(t, err)
			require.Equal(t, "one ", string(buf[:n]))
			step <- struct{}{}
			n, err = out.Read(buf)
			require.NoError(t, err)
			require.Equal(t, "two", string(buf[:n]))
			report, err := h.Wait(t.Context())
			require.NoError(t, err)
			require.NoError(t, out.Close())
			a, _ := report.Task("a")
			data, dropped := a.Stdout()
			require.Equal(t, "one two", string(data))
			require.Equal(t, int64(9), dropped)
		})
	}
}

func TestEmptyDAGAndBarriers(t *testing.T) { // D9
	t.Parallel()
	report, err := runner.Run(t.Context(), &dag.DAG{})
	require.NoError(t, err)
	require.Equal(t, runner.RunCompleted, report.State)
	ex := &recorder{}
	d := tasks(task("a"), dag.Task{Name: "gate", Parents: []string{"a"}}, task("b", "gate"),
		dag.Task{Name: "end", Parents: []string{"b"}})
	report, err = (&runner.Runner{Executor: ex}).Run(t.Context(), d)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, ex.order())
	require.Equal(t, 4, report.Counts[runner.Completed])
}

func TestPriorityAndLongestPath(t *testing.T) { // R7
	t.Parallel()
	for _, tc := range []struct {
		name    string
		longest bool
		order   []string
	}{
		{"definition", false, []string{"high", "x", "a", "b", "c"}},
		{"longest path", true, []string{"high", "a", "b", "x", "c"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ex := &recorder{}
			d := tasks(task("x"), task("a"), task("b", "a"), task("c", "b"), task("high"))
			d.Tasks[4].Priority = 1
			r := &runner.Runner{Executor: ex, MaxRunning: 1, LongestPathFirst: tc.longest}
			_, err := r.Run(t.Context(), d)
			require.NoError(t, err)
			require.Equal(t, tc.order, ex.order())
		})
	}
}
