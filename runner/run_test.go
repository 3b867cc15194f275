package runner_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/memlog"
)

type (
	attempt = executor.Attempt
	result  = executor.Result
)

// recorder is an executor that notes what it ran, in order, and asks a function
// what to do.
type recorder struct {
	mu    sync.Mutex
	ran   []string
	do    func(ctx context.Context, a *attempt) (result, error)
	slots *capacity.Allocator
}

func (r *recorder) Validate(dag.Job) error { return nil }

func (r *recorder) Allocator() *capacity.Allocator { return r.slots }

func (r *recorder) Run(ctx context.Context, a *attempt) (result, error) {
	r.mu.Lock()
	r.ran = append(r.ran, a.Instance)
	r.mu.Unlock()
	if r.do == nil {
		return result{}, nil
	}
	return r.do(ctx, a)
}

func (r *recorder) order() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ran)
}

func task(name string, parents ...string) dag.Task {
	return dag.Task{Name: name, Job: dag.Command("run", name), Parents: parents}
}

func tasks(ts ...dag.Task) *dag.DAG { return &dag.DAG{Tasks: ts} }

func fail(code int) (result, error) { return result{ExitCode: code}, nil }

func states(r *runner.Report) map[string]runner.State {
	m := map[string]runner.State{}
	for t := range r.Tasks() {
		m[t.Name] = t.State
	}
	return m
}

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

func TestRetriesTakeTheirInterval(t *testing.T) { // R3
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var times []time.Time
		ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
			times = append(times, time.Now())
			if a.Number < 3 {
				return fail(1)
			}
			return result{}, nil
		}}
		d := tasks(task("a"))
		d.Tasks[0].MaxRetries, d.Tasks[0].RetryInterval = 2, time.Hour
		report, err := (&runner.Runner{Executor: ex}).Run(t.Context(), d)
		require.NoError(t, err)
		require.Equal(t, []time.Duration{time.Hour, time.Hour},
			[]time.Duration{times[1].Sub(times[0]), times[2].Sub(times[1])})
		a, _ := report.Task("a")
		require.Equal(t, 3, a.Attempts)
	})
}

func TestLostAttemptsHaveTheirOwnBudget(t *testing.T) { // R3, E3
	t.Parallel()
	for _, tc := range []struct {
		name   string
		losses int
		state  runner.State
	}{{"within", 3, runner.Completed}, {"beyond", 4, runner.Failed}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
					if a.Number <= tc.losses {
						return result{}, &executor.LostError{Err: errors.New("node died")}
					}
					return result{}, nil
				}}
				r := &runner.Runner{Executor: ex, Lost: runner.Backoff{Budget: 3}}
				report, err := r.Run(t.Context(), tasks(task("a")))
				a, _ := report.Task("a")
				require.Equal(t, tc.state, a.State)
				require.Equal(t, min(tc.losses+1, 4), a.Attempts)
				if tc.state == runner.Failed {
					failed, _ := errors.AsType[*runner.TaskError](err)
					require.Equal(t, statelog.Infrastructure, failed.Class)
				}
			})
		})
	}
}

func TestNotStartedIsTriedAgainUnderItsKey(t *testing.T) { // E4
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var keys []string
		ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
			keys = append(keys, a.Key)
			if len(keys) < 4 {
				return result{}, &executor.NotStartedError{
					RetryAfter: time.Minute, Err: errors.New("no descriptors"),
				}
			}
			return result{}, nil
		}}
		start := time.Now()
		report, err := (&runner.Runner{Executor: ex}).Run(t.Context(), tasks(task("a")))
		require.NoError(t, err)
		require.Len(t, keys, 4)
		require.Len(t, slices.Compact(keys), 1)
		require.Equal(t, 3*time.Minute, time.Since(start))
		a, _ := report.Task("a")
		require.Equal(t, 1, a.Attempts)
	})
}

func TestPanicsAndGoexitFailTheAttempt(t *testing.T) { // R4
	t.Parallel()
	ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
		switch a.Task {
		case "panics":
			panic("boom")
		case "exits":
			runtime.Goexit()
		}
		return result{}, nil
	}}
	report, err := (&runner.Runner{Executor: ex, MaxRunning: 1}).Run(t.Context(),
		tasks(task("panics"), task("exits"), task("fine")))
	require.Equal(t, map[string]runner.State{
		"panics": runner.Failed, "exits": runner.Failed, "fine": runner.Completed,
	}, states(report))
	require.Error(t, err)
	for r := range report.Tasks() {
		if r.State == runner.Failed {
			require.Equal(t, statelog.Panicked, r.Class)
			require.Contains(t, r.Reason, "run_test.go", "a stack")
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

func TestKillHoldReleaseRetry(t *testing.T) { // R10
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var kill atomic.Bool
		kill.Store(true)
		ex := &recorder{do: func(ctx context.Context, a *attempt) (result, error) {
			if a.Task == "long" && kill.Load() {
				<-ctx.Done()
				return result{ExitCode: -1, Signal: "SIGTERM"}, nil
			}
			return result{}, nil
		}}
		d := tasks(task("long"), task("after", "long"), task("held"))
		d.Tasks[0].MaxRetries = 5
		h, err := (&runner.Runner{Executor: ex}).Start(t.Context(), d)
		require.NoError(t, err)
		require.NoError(t, h.Hold(t.Context(), "after"))
		synctest.Wait()
		require.NoError(t, h.Kill(t.Context(), "long"))
		synctest.Wait()
		require.Equal(t, runner.Killed, states(h.Snapshot())["long"])
		<-time.After(time.Hour) // nothing is held that could start: it closes
		report, err := h.Wait(t.Context())
		require.Error(t, err)
		require.Equal(t, runner.RunFailed, report.State)
		require.Equal(t, runner.Skipped, states(report)["after"])
		require.ErrorIs(t, h.Kill(t.Context(), "long"), runner.ErrOver)
		require.ErrorIs(t, h.Kill(t.Context(), "nobody"), runner.ErrOver)
	})
}

func TestHoldKeepsTheRunOpen(t *testing.T) { // R10
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ex := &recorder{}
		d := &dag.DAG{
			Parameters: dag.Parameters{"X": dag.List("p", "q", "r")},
			Tasks: []dag.Task{
				{Name: "gate", NotBefore: time.Now().Add(time.Hour)},
				{Name: "m", Parents: []string{"gate"}, Job: dag.Command("run", "{{X}}")},
			},
		}
		h, err := (&runner.Runner{Executor: ex}).Start(t.Context(), d)
		require.NoError(t, err)
		require.NoError(t, h.Hold(t.Context(), "m_2"))
		why, err := h.Why("m_2")
		require.NoError(t, err)
		require.Len(t, why, 2)
		<-time.After(2 * time.Hour)
		synctest.Wait()
		require.Equal(t, []string{"m_1", "m_3"}, ex.order())
		require.Equal(t, runner.RunRunning, h.Snapshot().State)
		require.NoError(t, h.Release(t.Context(), "m_2"))
		_, err = h.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"m_1", "m_3", "m_2"}, ex.order())
	})
}

func TestGeneratorSplicesBeforeItsChildren(t *testing.T) { // D7, D8
	t.Parallel()
	ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
		if a.Task == "pull_files" {
			_, err := fmt.Fprint(a.Stdout, `{
				"calc_date_a": {"command": ["calc", "{{DATE}}"], "children": ["generate_report"]},
				"calc_date_b": {"command": ["calc"], "children": ["generate_report"]}}`)
			return result{}, err
		}
		return result{}, nil
	}}
	d := tasks(task("pull_files"), task("generate_report", "pull_files"))
	d.Tasks[0].Generator = true
	d.Parameters = dag.Parameters{"DATE": dag.List("2021-01-01", "2021-02-01")}
	report, err := (&runner.Runner{Executor: ex, MaxRunning: 1}).Run(t.Context(), d)
	require.NoError(t, err)
	require.Equal(t, []string{
		"pull_files", "calc_date_a_1", "calc_date_a_2", "calc_date_b", "generate_report",
	}, ex.order())
	require.Equal(t, 5, report.Counts[runner.Completed])
}

func TestBadGeneratorOutputChangesNothing(t *testing.T) { // D7
	t.Parallel()
	for name, output := range map[string]string{
		"nothing":        "",
		"garbage":        "hello",
		"cycle":          `{"x": {"command": ["x"], "children": ["gen"]}}`,
		"duplicate":      `{"after": {"command": ["x"]}}`,
		"unknown":        `{"x": {"command": ["{{NOPE}}"]}}`,
		"unknown parent": `{"x": {"command": ["x"], "parents": ["nobody"]}}`,
		"unknown pool":   `{"x": {"command": ["x"], "pool": "nowhere"}}`,
		"too many": `{
			"x1": {"command": ["x"]}, "x2": {"command": ["x"]}, "x3": {"command": ["x"]}}`,
		"name clash": `{"m_2": {"command": ["x"]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
				if a.Task == "gen" {
					_, _ = a.Stdout.Write([]byte(output))
				}
				return result{}, nil
			}}
			d := tasks(task("gen"), task("after", "gen"), task("m"))
			d.Tasks[2].Job.Command = []string{"m", "{{X}}"}
			d.Parameters = dag.Parameters{"X": dag.List("1", "2", "3")}
			d.Tasks[0].Generator, d.Tasks[0].MaxRetries = true, 1
			r := &runner.Runner{Executor: ex, Limits: dag.Limits{Tasks: 5}}
			report, err := r.Run(t.Context(), d)
			failed, ok := errors.AsType[*runner.TaskError](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, statelog.BadOutput, failed.Class)
			require.Equal(t, 2, failed.Attempt)
			require.Equal(t, map[string]runner.State{
				"gen": runner.Failed, "after": runner.Skipped, "m_1": runner.Completed,
				"m_2": runner.Completed, "m_3": runner.Completed,
			}, states(report))
		})
	}
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

func TestLeasesAreNeverExceeded(t *testing.T) { // E8, C2
	t.Parallel()
	slots := capacity.New(capacity.Node{Name: "n", Total: capacity.Resources{dag.Cores: 4}})
	var now, peak atomic.Int64
	ex := &recorder{slots: slots, do: func(_ context.Context, a *attempt) (result, error) {
		cores := max(1, a.Job.Resources[dag.Cores])
		for n := now.Add(cores); ; {
			p := peak.Load()
			if n <= p || peak.CompareAndSwap(p, n) {
				break
			}
		}
		runtime.Gosched()
		now.Add(-cores)
		if a.Node != "n" {
			return result{}, errors.New("no node")
		}
		return result{}, nil
	}}
	d := &dag.DAG{}
	for i := range 500 {
		tk := task(fmt.Sprint("t", i))
		if n := i % 5; n > 0 {
			tk.Job.Resources = dag.Resources{dag.Cores: int64(n)}
		}
		d.Tasks = append(d.Tasks, tk)
	}
	_, err := (&runner.Runner{Executor: ex}).Run(t.Context(), d)
	require.NoError(t, err)
	require.LessOrEqual(t, peak.Load(), int64(4))
	require.Zero(t, slots.Nodes()[0].Leases)
}

func TestImpossibleRequestStartsNothing(t *testing.T) { // R6
	t.Parallel()
	ex := &recorder{slots: capacity.New(capacity.Node{
		Name: "n", Total: capacity.Resources{dag.Cores: 4, dag.MemoryMB: 32768},
	})}
	d := tasks(task("ok"), task("big"))
	d.Tasks[1].Job.Resources = dag.Resources{dag.MemoryMB: 40960}
	_, err := (&runner.Runner{Executor: ex}).Run(t.Context(), d)
	require.ErrorIs(t, err, dag.ErrInvalid)
	refused, ok := errors.AsType[*capacity.RefusedError](err)
	require.True(t, ok)
	require.Equal(t, int64(32768), refused.Largest)
	require.Empty(t, ex.order())
}

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

func TestPauseAndContinue(t *testing.T) { // R10
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ex := &recorder{do: func(context.Context, *attempt) (result, error) {
			<-time.After(time.Minute)
			return result{}, nil
		}}
		d := tasks(task("a"), task("b", "a"))
		h, err := (&runner.Runner{Executor: ex}).Start(t.Context(), d)
		require.NoError(t, err)
		synctest.Wait() // a runs
		require.NoError(t, h.Pause(t.Context()))
		<-time.After(time.Hour)
		require.Equal(t, []string{"a"}, ex.order())
		require.NoError(t, h.Continue(t.Context()))
		_, err = h.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b"}, ex.order())
	})
}

func TestAbortClosesTheRun(t *testing.T) { // R10
	t.Parallel()
	started := make(chan struct{})
	ex := &recorder{do: func(ctx context.Context, _ *attempt) (result, error) {
		close(started)
		<-ctx.Done()
		return result{}, context.Cause(ctx)
	}}
	h, err := (&runner.Runner{Executor: ex}).Start(t.Context(), tasks(task("a"), task("b", "a")))
	require.NoError(t, err)
	<-started
	require.NoError(t, h.Abort(t.Context(), "wrong data"))
	report, err := h.Wait(t.Context())
	require.ErrorIs(t, err, runner.ErrAborted)
	require.Equal(t, runner.RunKilled, report.State)
	require.Equal(t, map[string]runner.State{
		"a": runner.Killed, "b": runner.Skipped,
	}, states(report))
}
