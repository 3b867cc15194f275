package runner_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/statelogtest"
)

// outage is a log that is away for its appends from the n-th on, for some time.
func outage(n int, away time.Duration) onAppend {
	var since time.Time
	return func(_ context.Context, a statelogtest.Append) statelogtest.Fault {
		if a.N < n {
			return statelogtest.Fault{}
		}
		if since.IsZero() {
			since = time.Now()
		}
		if time.Since(since) < away {
			return broken
		}
		return statelogtest.Fault{}
	}
}

// A run waits for a log that is away: nothing starts without its record, and
// nothing is lost or runs twice when the log is back (L5).
func TestRunOutlastsItsLog(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(n int) onAppend{
		"away": func(n int) onAppend { return outage(n, time.Minute) },
		"ambiguous and added": func(n int) onAppend {
			return statelogtest.At(n, statelogtest.Ambiguous(true))
		},
		"ambiguous and lost": func(n int) onAppend {
			return statelogtest.At(n, statelogtest.Ambiguous(false))
		},
	} {
		for _, waits := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s waits=%v", name, waits), func(t *testing.T) {
				t.Parallel()
				for n := 2; ; n++ {
					had := false
					synctest.Test(t, func(t *testing.T) { had = outlast(t, fault(n), n, waits) })
					if !had {
						require.Greater(t, n, 4, "the run had so few appends")
						return
					}
				}
			})
		}
	}
}

// outlast reports whether the run had an n-th append.
func outlast(t *testing.T, f onAppend, n int, waits bool) bool {
	t.Helper()
	log := newWitness(waits, f)
	ids := map[string]int{"a": 0, "b": 1, "c": 2, "d": 3, "e": 4}
	ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
		for rec, err := range log.Log.Read(context.Background(), a.Run, 0) {
			if err == nil && rec.Kind == statelog.Intent && rec.Task == ids[a.Task] {
				return result{}, nil
			}
		}
		return result{}, fmt.Errorf("%s started before its intent was durable", a.Task)
	}}
	var observed []uint64
	r := &runner.Runner{Executor: ex, Log: log, Observers: []runner.Observer{{
		Event: func(_ *runner.Handle, ev runner.Event) { observed = append(observed, ev.Seq) },
	}}}
	d := tasks(task("a"), task("b", "a"), task("c", "a"), task("d", "b", "c"), task("e", "d"))
	report, err := r.Run(t.Context(), d)
	require.NoError(t, err, "append %d", n)
	require.Equal(t, map[runner.State]int{runner.Completed: 5}, report.Counts)
	require.ElementsMatch(t, []string{"a", "b", "c", "d", "e"}, ex.order())
	for i, seq := range observed {
		require.EqualValues(t, i+1, seq, "observers miss nothing and see nothing twice")
	}
	return log.Appends() >= n
}

// Who asks why nothing starts is told of the log, and who gives up after the time
// that the Runner sets has a run that can be resumed (R6, L5).
func TestLogThatStaysAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newWitness(true, statelogtest.From(3, broken))
		ex := &recorder{}
		r := &runner.Runner{Executor: ex, Log: log, StoreTimeout: time.Hour, MaxRunning: 1}
		start := time.Now()
		h, err := r.Start(t.Context(), tasks(task("a"), task("b", "a")))
		require.NoError(t, err)
		<-time.After(time.Minute)
		why, err := h.Why("b")
		require.NoError(t, err)
		kinds := map[runner.ReasonKind]string{}
		for _, reason := range why {
			kinds[reason.Kind] = reason.Text
		}
		require.Contains(t, kinds[runner.WaitsForLog], errStore.Error())
		_, err = h.Wait(t.Context())
		require.ErrorIs(t, err, runner.ErrInterrupted)
		require.ErrorIs(t, err, errStore)
		require.InDelta(t, time.Hour, time.Since(start), float64(time.Minute))
	})
}

// A second engine that goes on with the run takes it from the first, which stops
// what runs and adds nothing more (L3).
func TestFencedEngineStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newWitness(true, nil)
		stopped := make(chan error, 2)
		ex := &recorder{do: func(ctx context.Context, _ *attempt) (result, error) {
			<-ctx.Done()
			stopped <- context.Cause(ctx)
			return result{}, context.Cause(ctx)
		}}
		first := &runner.Runner{Executor: ex, Log: log}
		h, err := first.Ensure(t.Context(), "x", tasks(task("a")))
		require.NoError(t, err)
		synctest.Wait()
		second := &runner.Runner{Executor: &recorder{}, Log: log}
		report, err := second.Resume(t.Context(), "x")
		require.NoError(t, err)
		_, err = report.Wait(t.Context())
		require.NoError(t, err)
		require.NoError(t, h.Stop(t.Context()))
		require.Error(t, <-stopped)
		_, err = h.Wait(t.Context())
		require.ErrorIs(t, err, statelog.ErrFenced)
	})
}

// What runs is told to stop at once, whatever becomes of the log (R5).
func TestStopDoesNotWaitForTheLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		log := newWitness(true, func(_ context.Context, a statelogtest.Append) statelogtest.Fault {
			if a.N > 2 {
				<-gate
			}
			return statelogtest.Fault{}
		})
		stopped := make(chan time.Time, 1)
		ex := &recorder{do: func(ctx context.Context, a *attempt) (result, error) {
			if a.Task == "quick" {
				return result{}, nil // its end is what the log does not take
			}
			<-ctx.Done()
			stopped <- time.Now()
			return result{}, context.Cause(ctx)
		}}
		r := &runner.Runner{Executor: ex, Log: log}
		h, err := r.Start(t.Context(), tasks(task("slow"), task("quick")))
		require.NoError(t, err)
		synctest.Wait()
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Error(t, h.Stop(ctx))
		require.Equal(t, start, <-stopped)
		close(gate)
		_, err = h.Wait(t.Context())
		require.ErrorIs(t, err, runner.ErrInterrupted)
	})
}
