package runner_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/sim"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/memlog"
)

// outside is a durable executor that notes what it is told to forget.
type outside struct {
	*sim.Executor
	mu        sync.Mutex
	forgotten []string
}

func (o *outside) Forget(ctx context.Context, keys ...string) error {
	o.mu.Lock()
	o.forgotten = append(o.forgotten, keys...)
	o.mu.Unlock()
	return o.Executor.Forget(ctx, keys...)
}

func (o *outside) forgot() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.forgotten)
}

func newOutside(takes time.Duration) *outside {
	return &outside{Executor: sim.New(sim.Config{
		Durable: true, Default: sim.Behaviour{Duration: takes},
	})}
}

func kinds(t *testing.T, log statelog.StateLogger, run string) []statelog.Kind {
	t.Helper()
	var all []statelog.Kind
	for rec, err := range log.Read(t.Context(), run, 0) {
		require.NoError(t, err)
		all = append(all, rec.Kind)
	}
	return all
}

// Detach leaves durable attempts to the next engine, which attaches to them under
// their keys: they start once (E2, E5).
func TestDetachAndResume(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, ex := memlog.New(), newOutside(time.Hour)
		r := &runner.Runner{Executor: ex, Log: log}
		start := time.Now()
		h, err := r.Ensure(t.Context(), "x", tasks(task("a"), task("b", "a")))
		require.NoError(t, err)
		<-time.After(time.Minute)
		require.NoError(t, h.Detach(t.Context()))
		require.Equal(t, []statelog.Kind{statelog.Opened, statelog.Intent, statelog.Detached},
			kinds(t, log, "x"))
		require.Equal(t, time.Minute, time.Since(start))

		h, err = r.Resume(t.Context(), "x")
		require.NoError(t, err)
		report, err := h.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2*time.Hour, time.Since(start))
		require.Len(t, ex.Starts(), 2)
		a, _ := report.Task("a")
		require.Equal(t, 1, a.Attempts)
		keys := []string{ex.Starts()[0].Key, ex.Starts()[1].Key}
		require.ElementsMatch(t, keys, ex.forgot(), "E5: Forget follows the record")
	})
}

// failing is a durable executor whose attempts fail by themselves in the moment
// in which the engine lets go of them.
type failing struct{ *outside }

func (f failing) Run(ctx context.Context, _ *executor.Attempt) (executor.Result, error) {
	<-ctx.Done()
	return executor.Result{ExitCode: 3}, nil
}

// A failure that nobody asked for counts, even if it comes while the engine lets
// go of the attempt (E2): else a task would fail more often than it may.
func TestFailureWhileDetaching(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := memlog.New()
		r := &runner.Runner{Executor: failing{newOutside(0)}, Log: log}
		a := task("a")
		a.MaxRetries = 1
		h, err := r.Ensure(t.Context(), "x", tasks(a))
		require.NoError(t, err)
		for range 2 {
			synctest.Wait()
			require.NoError(t, h.Detach(t.Context()))
			h, err = r.Ensure(t.Context(), "x", tasks(a))
			require.NoError(t, err)
		}
		report, err := h.Wait(t.Context())
		require.Error(t, err)
		require.Equal(t, map[string]runner.State{"a": runner.Failed}, states(report))
		got, _ := report.Task("a")
		require.Equal(t, 2, got.Attempts)
	})
}

// What may still be kept for attempts whose end is recorded is forgotten by the
// next engine, if the one before did not come to it (E5).
func TestForgetIsRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, ex := memlog.New(), newOutside(time.Hour)
		r := &runner.Runner{Executor: ex, Log: log, MaxRunning: 1}
		h, err := r.Ensure(t.Context(), "x", tasks(task("a"), task("b", "a")))
		require.NoError(t, err)
		<-time.After(90 * time.Minute)
		require.NoError(t, h.Detach(t.Context()))
		first := ex.forgot()
		require.Len(t, first, 1)
		h, err = r.Resume(t.Context(), "x")
		require.NoError(t, err)
		_, err = h.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{first[0], first[0], ex.Starts()[1].Key}, ex.forgot())
	})
}

// An attempt that may run outside is stopped by its executor before it is
// recorded as over, also when nobody has taken it up yet (E5, R10).
func TestStopOfWhatAnotherEngineStarted(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*runner.Handle) error{
		"kill":  func(h *runner.Handle) error { return h.Kill(context.Background(), "a") },
		"abort": func(h *runner.Handle) error { return h.Abort(context.Background(), "") },
		"stop":  func(h *runner.Handle) error { return h.Stop(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log, ex := memlog.New(), newOutside(time.Hour)
				r := &runner.Runner{Executor: ex, Log: log}
				h, err := r.Ensure(t.Context(), "x", tasks(task("a")))
				require.NoError(t, err)
				<-time.After(time.Minute)
				require.NoError(t, h.Detach(t.Context()))
				h, err = r.Resume(t.Context(), "x")
				require.NoError(t, err)
				require.NoError(t, stop(h))
				_, err = h.Wait(t.Context())
				require.Error(t, err)
				require.NotContains(t, kinds(t, log, "x"), statelog.NotStarted)
				require.Zero(t, ex.Stats().Running, "it still runs outside")
				require.Len(t, ex.Starts(), 1)
			})
		})
	}
}

// An attempt that takes its engine down every time fails in the end, and what
// depends on nothing of it completes (L4).
func TestPoison(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := memlog.New()
		open := statelog.Record{Kind: statelog.Intent, Task: 1, Time: time.Now()}
		r := &runner.Runner{Executor: &recorder{}, Log: log, Poison: 3}
		h, err := (&runner.Runner{Executor: &recorder{
			do: func(ctx context.Context, _ *attempt) (result, error) {
				<-ctx.Done()
				return result{}, context.Cause(ctx)
			},
		}, Log: log}).Ensure(t.Context(), "x", tasks(task("good"), task("bad")))
		require.NoError(t, err)
		require.NoError(t, h.Stop(t.Context()))
		// Three engines die with the second task open.
		for n := 2; n <= 4; n++ {
			open.Attempt = n
			recs := []statelog.Record{{Kind: statelog.Resumed, Engine: "dead"}, open}
			if n > 2 {
				lost := statelog.Record{
					Kind: statelog.Lost, Class: statelog.Interrupted, Task: 1, Attempt: n - 1,
				}
				recs = slices.Insert(recs, 1, lost)
			}
			_, err := log.Append(t.Context(), "x", uint64(len(kinds(t, log, "x"))), recs)
			require.NoError(t, err)
		}
		h, err = r.Resume(t.Context(), "x")
		require.NoError(t, err)
		report, err := h.Wait(t.Context())
		failed, ok := errors.AsType[*runner.TaskError](err)
		require.True(t, ok, "%v", err)
		require.Equal(t, statelog.Poison, failed.Class)
		require.ErrorContains(t, err, "3 engines in a row died")
		require.Equal(t, map[string]runner.State{
			"good": runner.Completed, "bad": runner.Failed,
		}, states(report))
	})
}

// What runs outside is not blamed while something that ran in the engines may be
// (L4).
func TestPoisonIsSoughtInTheEngineFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := memlog.New()
		inside := &recorder{do: func(ctx context.Context, _ *attempt) (result, error) {
			<-ctx.Done()
			return result{}, context.Cause(ctx)
		}}
		r := &runner.Runner{
			Executor: newOutside(time.Hour), Log: log, Poison: 3,
			Pools: map[string]executor.Executor{"functions": inside},
		}
		d := tasks(task("out"), task("in"))
		d.Tasks[1].Pool = "functions"
		h, err := r.Ensure(t.Context(), "x", d)
		require.NoError(t, err)
		<-time.After(time.Minute)
		require.NoError(t, h.Detach(t.Context()))
		// Three engines die with both of them open.
		for n := 2; n <= 4; n++ {
			recs := []statelog.Record{{Kind: statelog.Resumed, Engine: "dead"}}
			if n > 2 {
				recs = append(recs, statelog.Record{
					Kind: statelog.Lost, Class: statelog.Interrupted, Task: 1, Attempt: n - 1,
				})
			}
			recs = append(recs, statelog.Record{
				Kind: statelog.Intent, Task: 1, Attempt: n, Time: time.Now(),
			})
			_, err := log.Append(t.Context(), "x", uint64(len(kinds(t, log, "x"))), recs)
			require.NoError(t, err)
		}
		h, err = r.Resume(t.Context(), "x")
		require.NoError(t, err)
		report, err := h.Wait(t.Context())
		require.Error(t, err)
		require.Equal(t, map[string]runner.State{
			"out": runner.Completed, "in": runner.Failed,
		}, states(report))
	})
}

// Engines that left in good order, or got something done, are no evidence.
func TestNoPoison(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, ex := memlog.New(), newOutside(time.Hour)
		r := &runner.Runner{Executor: ex, Log: log, Poison: 1}
		h, err := r.Ensure(t.Context(), "x", tasks(task("a")))
		for range 5 {
			require.NoError(t, err)
			<-time.After(time.Minute)
			require.NoError(t, h.Detach(t.Context()))
			h, err = r.Resume(t.Context(), "x")
		}
		require.NoError(t, err)
		_, err = h.Wait(t.Context())
		require.NoError(t, err)
	})
}

var _ executor.Durable = (*outside)(nil)
