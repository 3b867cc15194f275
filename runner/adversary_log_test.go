package runner_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/memlog"
	"github.com/daggy-go/daggy/statelog/statelogtest"
)

var (
	errStore = errors.New("the store is gone")
	broken   = statelogtest.Fault{Err: errStore}
)

// witness is a log that notes which attempts have a durable intent.
type witness struct {
	statelogtest.Faulty
	mu      sync.Mutex
	intents map[[3]int]bool
}

type onAppend = func(context.Context, statelogtest.Append) statelogtest.Fault

func newWitness(waits bool, f onAppend) *witness {
	return &witness{
		Faulty:  statelogtest.Faulty{Log: memlog.New(), Waits: waits, OnAppend: f},
		intents: map[[3]int]bool{},
	}
}

func (w *witness) Append(
	ctx context.Context, run string, after uint64, recs []statelog.Record,
) (uint64, error) {
	seq, err := w.Faulty.Append(ctx, run, after, recs)
	if err == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		for i := range recs {
			if r := &recs[i]; r.Kind == statelog.Intent {
				w.intents[[3]int{r.Task, r.Instance, r.Attempt}] = true
			}
		}
	}
	return seq, err
}

// TestLogThatFailsEndsTheRun lets each append of a run fail in turn, on logs
// that are immediate and on others. Nothing starts without a durable intent, the
// run ends interrupted with the cause, and what was recorded can be resumed.
func TestLogThatFailsEndsTheRun(t *testing.T) { // L2, L3, L5
	t.Parallel()
	for name, fault := range map[string]statelogtest.Fault{
		"error": {Err: errStore}, "fenced": {Fenced: true},
		"ambiguous and lost": statelogtest.Ambiguous(false),
	} {
		for _, waits := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s waits=%v", name, waits), func(t *testing.T) {
				t.Parallel()
				for n := 1; ; n++ {
					if !failAppend(t, n, fault, waits) {
						require.Greater(t, n, 4, "the run had so few appends")
						return
					}
				}
			})
		}
	}
}

// failAppend reports whether the run had an n-th append.
func failAppend(t *testing.T, n int, fault statelogtest.Fault, waits bool) bool {
	t.Helper()
	log := newWitness(waits, statelogtest.From(n, fault))
	var early atomic.Bool
	ids := map[string]int{"a": 0, "b": 1, "c": 2, "d": 3, "e": 4}
	ex := &recorder{do: func(ctx context.Context, a *attempt) (result, error) {
		log.mu.Lock()
		durable := log.intents[[3]int{ids[a.Task], a.Index, a.Number}]
		log.mu.Unlock()
		if !durable {
			early.Store(true)
		}
		if a.Task == "b" && a.Number == 1 {
			return fail(1)
		}
		return result{}, ctx.Err()
	}}
	d := tasks(task("a"), task("b", "a"), task("c", "a"), task("d", "b", "c"), task("e", "d"))
	d.Tasks[1].MaxRetries = 1
	r := &runner.Runner{Executor: ex, Log: log, StoreTimeout: 1}
	h, err := r.Ensure(t.Context(), "x", d)
	if n == 1 {
		require.Error(t, err)
		require.Empty(t, ex.order())
		return true
	}
	require.NoError(t, err)
	report, err := h.Wait(t.Context())
	require.False(t, early.Load(), "an attempt started before its intent was durable")
	if log.Appends() < n {
		require.NoError(t, err)
		return false
	}
	require.ErrorIs(t, err, runner.ErrInterrupted, "append %d", n)
	require.Equal(t, runner.RunInterrupted, report.State)
	require.False(t, report.End.IsZero(), "append %d", n)
	require.Zero(t, report.Counts[runner.Running]+report.Counts[runner.Queued])
	// Another engine goes on from what is durable.
	again := &runner.Runner{Executor: &recorder{}, Log: log.Log}
	h, err = again.Resume(t.Context(), "x")
	require.NoError(t, err)
	report, err = h.Wait(t.Context())
	require.NoError(t, err, "append %d", n)
	require.Equal(t, map[runner.State]int{runner.Completed: 5}, report.Counts)
	return true
}

// The decision is not durable, but the run ends, and so must what runs.
func TestStopsThatAreNotRecordedStillStop(t *testing.T) { // R5, L5
	t.Parallel()
	ctx := context.Background()
	for name, stop := range map[string]func(h *runner.Handle) error{
		"kill":  func(h *runner.Handle) error { return h.Kill(ctx, "a") },
		"abort": func(h *runner.Handle) error { return h.Abort(ctx, "") },
	} {
		for _, waits := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s waits=%v", name, waits), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					ex := &recorder{do: func(ctx context.Context, _ *attempt) (result, error) {
						<-ctx.Done()
						return result{}, context.Cause(ctx)
					}}
					log := newWitness(waits, statelogtest.From(3, broken))
					r := &runner.Runner{Executor: ex, Log: log, StopTimeout: -1}
					h, err := r.Start(t.Context(), tasks(task("a"), task("b", "a")))
					require.NoError(t, err)
					synctest.Wait()
					require.ErrorIs(t, stop(h), errStore)
					_, err = h.Wait(t.Context())
					require.ErrorIs(t, err, errStore)
					require.NotErrorIs(t, err, runner.ErrStillRunning)
				})
			})
		}
	}
}

// An append that never returns by itself must not keep the run from ending.
func TestAppendThatHangsIsGivenUp(t *testing.T) { // L5
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newWitness(true, func(
			ctx context.Context, a statelogtest.Append,
		) statelogtest.Fault {
			if a.N < 3 {
				return statelogtest.Fault{}
			}
			<-ctx.Done()
			return statelogtest.Fault{Err: ctx.Err()}
		})
		r := &runner.Runner{Executor: &recorder{}, Log: log, StopTimeout: time.Second}
		h, err := r.Start(t.Context(), tasks(task("a"), task("b", "a")))
		require.NoError(t, err)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		require.NoError(t, h.Stop(ctx))
		report, err := h.Wait(ctx)
		require.ErrorIs(t, err, runner.ErrInterrupted)
		require.Equal(t, runner.RunInterrupted, report.State)
	})
}

// Intents may be written ahead, but no more attempts run than there are slots.
func TestMaxRunningHolds(t *testing.T) { // R7, L2
	t.Parallel()
	for _, waits := range []bool{false, true} {
		for _, slots := range []int{1, 3} {
			t.Run(fmt.Sprintf("waits=%v slots=%d", waits, slots), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					var now, peak atomic.Int64
					ex := &recorder{do: func(context.Context, *attempt) (result, error) {
						if n := now.Add(1); n > peak.Load() {
							peak.Store(n)
						}
						<-time.After(time.Second)
						now.Add(-1)
						return result{}, nil
					}}
					d := tasks()
					for i := range 40 {
						d.Tasks = append(d.Tasks, task(fmt.Sprint("t", i)))
					}
					log := newWitness(waits, nil)
					start := time.Now()
					r := &runner.Runner{Executor: ex, Log: log, MaxRunning: slots}
					_, err := r.Run(t.Context(), d)
					require.NoError(t, err)
					require.Equal(t, int64(slots), peak.Load())
					took := time.Duration((40+slots-1)/slots) * time.Second
					require.Equal(t, took, time.Since(start))
				})
			})
		}
	}
}
