package runner_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
)

// What is held or paused does not start, even if its intent is recorded already
// or an executor could not start it before.
func TestHeldAndPausedDoNotStart(t *testing.T) { // R10
	t.Parallel()
	ctx := context.Background()
	type command = func(h *runner.Handle) error
	for name, tc := range map[string]struct{ stop, resume command }{
		"hold": {
			func(h *runner.Handle) error { return h.Hold(ctx, "b") },
			func(h *runner.Handle) error { return h.Release(ctx, "b") },
		},
		"pause": {
			func(h *runner.Handle) error { return h.Pause(ctx) },
			func(h *runner.Handle) error { return h.Continue(ctx) },
		},
	} {
		for _, waits := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s waits=%v recorded", name, waits), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					ex := &recorder{do: func(context.Context, *attempt) (result, error) {
						<-time.After(time.Minute)
						return result{}, nil
					}}
					r := &runner.Runner{Executor: ex, MaxRunning: 1, Log: newWitness(waits, nil)}
					h, err := r.Start(t.Context(), tasks(task("a"), task("b")))
					require.NoError(t, err)
					synctest.Wait()
					require.NoError(t, tc.stop(h))
					<-time.After(time.Hour)
					require.Equal(t, []string{"a"}, ex.order())
					require.NoError(t, tc.resume(h))
					report, err := h.Wait(t.Context())
					require.NoError(t, err)
					require.Equal(t, []string{"a", "b"}, ex.order())
					require.Equal(t, 2, report.Counts[runner.Completed])
				})
			})
			t.Run(fmt.Sprintf("%s waits=%v not started", name, waits), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					var tries int
					ex := &recorder{do: func(context.Context, *attempt) (result, error) {
						if tries++; tries == 1 {
							return result{}, &executor.NotStartedError{
								RetryAfter: time.Minute, Err: errors.New("full"),
							}
						}
						return result{}, nil
					}}
					r := &runner.Runner{Executor: ex, Log: newWitness(waits, nil)}
					h, err := r.Start(t.Context(), tasks(task("b")))
					require.NoError(t, err)
					synctest.Wait()
					require.NoError(t, tc.stop(h))
					<-time.After(time.Hour)
					require.Len(t, ex.order(), 1)
					require.NoError(t, tc.resume(h))
					report, err := h.Wait(t.Context())
					require.NoError(t, err)
					require.Equal(t, 1, report.Counts[runner.Completed])
				})
			})
		}
	}
}

// An instance of a barrier that is held keeps the barrier.
func TestHeldInstanceOfABarrier(t *testing.T) { // R10, D9
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ex := &recorder{do: func(context.Context, *attempt) (result, error) {
			<-time.After(time.Minute)
			return result{}, nil
		}}
		d := tasks(task("a"), dag.Task{Name: "gate", Parents: []string{"a"}}, task("b", "gate"))
		d.Parameters = dag.Parameters{"X": dag.List("p", "q")}
		d.Tasks[1].Job.WorkDir = "{{X}}"
		h, err := (&runner.Runner{Executor: ex}).Start(t.Context(), d)
		require.NoError(t, err)
		require.NoError(t, h.Hold(t.Context(), "gate_2"))
		<-time.After(time.Hour)
		require.Equal(t, []string{"a"}, ex.order())
		require.NoError(t, h.Release(t.Context(), "gate_2"))
		_, err = h.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b"}, ex.order())
	})
}

// Release says so if it releases nothing.
func TestReleaseOfWhatIsNotHeldByItself(t *testing.T) { // R10
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := tasks(task("a"), task("m"))
		d.Tasks[1].Job.Command = []string{"m", "{{X}}"}
		d.Tasks[1].NotBefore = time.Now().Add(time.Minute)
		d.Parameters = dag.Parameters{"X": dag.List("p", "q")}
		ex := &recorder{}
		h, err := (&runner.Runner{Executor: ex}).Start(t.Context(), d)
		require.NoError(t, err)
		require.ErrorIs(t, h.Release(t.Context(), "m_1"), runner.ErrNothing)
		require.NoError(t, h.Hold(t.Context(), "m"))
		require.ErrorIs(t, h.Release(t.Context(), "m_1"), runner.ErrNothing)
		<-time.After(time.Hour)
		require.Equal(t, []string{"a"}, ex.order())
		require.NoError(t, h.Release(t.Context(), "m"))
		_, err = h.Wait(t.Context())
		require.NoError(t, err)
	})
}

// Errors of commands are those of this package.
func TestCommandsOnARunThatEnds(t *testing.T) { // R10
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ex := &recorder{do: func(ctx context.Context, _ *attempt) (result, error) {
			<-ctx.Done()
			<-time.After(time.Second)
			return result{}, nil
		}}
		d := tasks(task("a"), task("b", "a"))
		h, err := (&runner.Runner{Executor: ex}).Start(t.Context(), d)
		require.NoError(t, err)
		synctest.Wait()
		go func() { _ = h.Abort(context.Background(), "first") }()
		synctest.Wait()
		check := func() {
			require.ErrorIs(t, h.Abort(t.Context(), "second"), runner.ErrOver)
			require.ErrorIs(t, h.Kill(t.Context(), "a"), runner.ErrOver)
			require.ErrorIs(t, h.Hold(t.Context(), "a"), runner.ErrOver)
			require.ErrorIs(t, h.Retry(t.Context(), "a", true), runner.ErrOver)
		}
		check()
		report, err := h.Wait(t.Context())
		require.ErrorIs(t, err, runner.ErrAborted)
		require.Equal(t, runner.Completed, states(report)["a"], "success stays success")
		check()
		require.NoError(t, h.Stop(t.Context()))
		_, err = h.Wait(t.Context())
		require.ErrorIs(t, err, runner.ErrAborted)
		_, err = h.Why("a")
		require.NoError(t, err)
	})
}

// The report of a run that was left by an executor agrees with itself.
func TestReportOfWhatDidNotReturn(t *testing.T) { // R5, R1
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ex := &recorder{slots: coresOf(2), do: func(context.Context, *attempt) (result, error) {
			<-time.After(time.Hour)
			return result{}, nil
		}}
		r := &runner.Runner{Executor: ex, StopTimeout: time.Second}
		h, err := r.Start(t.Context(), tasks(asking("a", 1), asking("b", 1), asking("c", 1)))
		require.NoError(t, err)
		synctest.Wait()
		require.NoError(t, h.Stop(t.Context()))
		report, err := h.Wait(t.Context())
		require.ErrorIs(t, err, runner.ErrStillRunning)
		agrees(t, report)
		require.Equal(t, 2, ex.slots.Nodes()[0].Leases, "its capacity is not given back")
		<-time.After(2 * time.Hour)
	})
}

// agrees checks a report against its own counts.
func agrees(t *testing.T, report *runner.Report) {
	t.Helper()
	counts := map[runner.State]int{}
	for r := range report.Tasks() {
		counts[r.State]++
	}
	require.Equal(t, counts, report.Counts)
}

// How an executor that is told to stop says that it did does not matter.
func TestTimeLimitIsTheClass(t *testing.T) { // E1, E7
	t.Parallel()
	for name, end := range map[string]func(context.Context) (result, error){
		"cause":  func(ctx context.Context) (result, error) { return result{}, context.Cause(ctx) },
		"err":    func(ctx context.Context) (result, error) { return result{}, ctx.Err() },
		"signal": func(context.Context) (result, error) { return result{Signal: "SIGTERM"}, nil },
		"code":   func(context.Context) (result, error) { return result{ExitCode: 143}, nil },
		"panic":  func(context.Context) (result, error) { panic("told to stop") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ex := &recorder{do: func(ctx context.Context, _ *attempt) (result, error) {
					<-ctx.Done()
					return end(ctx)
				}}
				d := tasks(task("a"))
				d.Tasks[0].Job.TimeLimit = time.Minute
				_, err := (&runner.Runner{Executor: ex}).Run(t.Context(), d)
				failed, ok := errors.AsType[*runner.TaskError](err)
				require.True(t, ok)
				require.Equal(t, statelog.TimeLimit, failed.Class)
			})
		})
	}
}

// Times that are very far away never come, instead of being at once.
func TestTimesFarAway(t *testing.T) { // R3
	t.Parallel()
	far := time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		t  dag.Task
		do func(ctx context.Context, a *attempt) (result, error)
		n  int
	}{
		"not before": {t: dag.Task{NotBefore: far}},
		"retry": {
			t: dag.Task{MaxRetries: 1, RetryInterval: math.MaxInt64}, n: 1,
			do: func(context.Context, *attempt) (result, error) { return fail(1) },
		},
		"not started": {n: 1, do: func(context.Context, *attempt) (result, error) {
			return result{}, &executor.NotStartedError{
				RetryAfter: math.MaxInt64, Err: errors.New("full"),
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ex := &recorder{do: tc.do}
				a := tc.t
				a.Name, a.Job = "a", dag.Command("run")
				h, err := (&runner.Runner{Executor: ex}).Start(t.Context(), tasks(a))
				require.NoError(t, err)
				<-time.After(100 * 365 * 24 * time.Hour)
				require.Len(t, ex.order(), tc.n)
				require.NoError(t, h.Stop(t.Context()))
			})
		})
	}
}

// A large run that is killed half way ends soon and adds up.
func TestKillOfManyInstances(t *testing.T) { // R10
	t.Parallel()
	for name, slots := range map[string]int{"few running": 8, "all running": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := 30_000
			if slots < 0 {
				n = 2_000
			}
			values := make([]string, n)
			for i := range values {
				values[i] = fmt.Sprint(i)
			}
			var ran atomic.Int64
			half := make(chan struct{})
			ex := executor.RunFunc(func(ctx context.Context, _ *attempt) (result, error) {
				got := int(ran.Add(1))
				if got == n/2 {
					close(half)
				}
				if slots < 0 || got > n/2+1000 { // the rest must not be over first
					<-ctx.Done()
				}
				return result{}, context.Cause(ctx)
			})
			d := tasks(dag.Task{Name: "m", Job: dag.Command("run", "{{X}}")}, task("after", "m"))
			d.Parameters = dag.Parameters{"X": dag.List(values...)}
			h, err := (&runner.Runner{Executor: ex, MaxRunning: slots}).Start(t.Context(), d)
			require.NoError(t, err)
			<-half
			require.NoError(t, h.Kill(t.Context(), "m"))
			report, err := h.Wait(t.Context())
			require.Error(t, err)
			require.Equal(t, n, report.Counts[runner.Completed]+report.Counts[runner.Killed])
			require.Equal(t, 1, report.Counts[runner.Skipped])
			agrees(t, report)
		})
	}
}

// Everything that ends a run, at once, many times.
func TestEndsRace(t *testing.T) { // R5, R10
	t.Parallel()
	for round := range 60 {
		slots := coresOf(3)
		ex := &recorder{slots: slots, do: func(ctx context.Context, a *attempt) (result, error) {
			switch a.Index % 5 {
			case 0:
				runtime.Goexit()
			case 1:
				return result{}, &executor.NotStartedError{Err: errors.New("full")}
			case 2:
				return result{}, &executor.LostError{Err: errors.New("gone")}
			case 3:
				return fail(1)
			}
			return result{}, ctx.Err()
		}}
		m := dag.Task{Name: "m", MaxRetries: 3, Job: dag.Command("run", "{{X}}")}
		d := tasks(m, task("z", "m"))
		d.Parameters = dag.Parameters{"X": dag.List(fmt.Sprint(round), "b", "c", "d", "e", "f")}
		log := newWitness(round%2 == 0, nil)
		r := &runner.Runner{
			Executor: []executor.Executor{ex, lasting{ex}}[round/2%2],
			Log:      log, FailFast: round%7 == 0,
			Lost: runner.Backoff{Min: time.Microsecond},
		}
		h, err := r.Ensure(t.Context(), "x", d)
		require.NoError(t, err)
		var wg sync.WaitGroup
		for i, f := range []func(ctx context.Context) error{
			func(ctx context.Context) error { return h.Kill(ctx, "m_2") },
			func(ctx context.Context) error { return h.Hold(ctx, "m_3") },
			func(ctx context.Context) error { return h.Pause(ctx) },
			func(ctx context.Context) error { return h.Retry(ctx, "m", true) },
			func(ctx context.Context) error { return h.Continue(ctx) },
			func(ctx context.Context) error { return h.Stop(ctx) },
			func(ctx context.Context) error { _, err := h.Wait(ctx); return err },
			func(ctx context.Context) error {
				for _, err := range h.Events(ctx, 0) { // it has to end
					if err != nil {
						return err
					}
				}
				return nil
			},
			func(ctx context.Context) error {
				if round%3 == 0 {
					return h.Abort(ctx, "")
				}
				return nil
			},
		} {
			wg.Go(func() {
				for range (i*7 + round) % 11 {
					runtime.Gosched()
				}
				_ = f(t.Context())
				_ = h.Snapshot()
				_, _ = h.Why("m")
			})
		}
		wg.Wait()
		report, err := h.Wait(t.Context())
		require.Error(t, err)
		require.NotErrorIs(t, err, runner.ErrStillRunning)
		agrees(t, report)
		require.Zero(t, slots.Nodes()[0].Leases)
		replays(t, log.Log, report)
	}
}

// replays checks that the log says the same of a run as its report (I7).
func replays(t *testing.T, log statelog.StateLogger, report *runner.Report) {
	t.Helper()
	if report.State == runner.RunInterrupted {
		return
	}
	r := &runner.Runner{Executor: &recorder{}, Log: log}
	h, err := r.Resume(t.Context(), report.Run)
	require.NoError(t, err)
	again, _ := h.Wait(t.Context())
	require.Equal(t, states(report), states(again))
	require.Equal(t, report.State, again.State)
}
