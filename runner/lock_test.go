package runner_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/memlog"
)

// lockable is a log that gives a run to one engine at a time, and takes it away
// when the test says so.
type lockable struct {
	*memlog.Log
	mu   sync.Mutex
	held map[string]string // engine by run
	lost map[string]func()
}

func newLockable() *lockable {
	return &lockable{Log: memlog.New(), held: map[string]string{}, lost: map[string]func(){}}
}

func (l *lockable) Lock(_ context.Context, run, engine string) (func() error, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[run] != "" {
		return nil, statelog.ErrActive
	}
	l.held[run] = engine
	return func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.held[run] == engine {
			delete(l.held, run)
		}
		return nil
	}, nil
}

func (l *lockable) OnLost(run, _ string, f func()) (stop func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost[run] = f
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.lost, run)
	}
}

func (l *lockable) locked() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.held))
}

// One engine at a time has a run, from before it reads the log until everything
// it started has ended (L6).
func TestRunsAreLocked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := newLockable()
		ex := &recorder{do: func(context.Context, *attempt) (result, error) {
			<-time.After(time.Hour)
			return result{}, nil
		}}
		first := &runner.Runner{Executor: ex, Log: log}
		second := &runner.Runner{Executor: ex, Log: log}
		d := tasks(task("a"))
		h, err := first.Ensure(t.Context(), "nightly", d)
		require.NoError(t, err)
		require.Equal(t, []string{"nightly"}, log.locked())
		_, err = second.Resume(t.Context(), "nightly")
		require.ErrorIs(t, err, statelog.ErrActive)
		_, err = second.Ensure(t.Context(), "nightly", d)
		require.ErrorIs(t, err, statelog.ErrActive)
		_, err = h.Wait(t.Context())
		require.NoError(t, err)
		require.Empty(t, log.locked())
		h, err = second.Resume(t.Context(), "nightly")
		require.NoError(t, err)
		require.Empty(t, log.locked(), "a closed run needs no lock")
		_, err = h.Wait(t.Context())
		require.NoError(t, err)
		_, err = second.Resume(t.Context(), "nighty")
		require.ErrorIs(t, err, statelog.ErrNoRun)
		require.ErrorContains(t, err, `did you mean "nightly"`)
		_, err = second.Ensure(t.Context(), "nightly", tasks(task("b")))
		require.ErrorIs(t, err, runner.ErrDefinitionChanged)
		require.Empty(t, log.locked(), "who is refused keeps no lock")
	})
}

// What an executor that did not return still does must not be done again
// meanwhile.
func TestLockOutlastsExecutorsThatDoNotReturn(t *testing.T) { // R5, L6
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, deaf := newLockable(), make(chan struct{})
		ex := &recorder{do: func(context.Context, *attempt) (result, error) {
			<-deaf
			return result{}, nil
		}}
		r := &runner.Runner{Executor: ex, Log: log, StopTimeout: time.Second}
		h, err := r.Ensure(t.Context(), "x", tasks(task("a")))
		require.NoError(t, err)
		synctest.Wait()
		require.NoError(t, h.Stop(t.Context()))
		_, err = h.Wait(t.Context())
		require.ErrorIs(t, err, runner.ErrStillRunning)
		_, err = r.Resume(t.Context(), "x")
		require.ErrorIs(t, err, statelog.ErrActive)
		close(deaf)
		synctest.Wait()
		require.Empty(t, log.locked())
	})
}

// Who loses the lock stops what does not outlive the engine, and leaves the rest
// to whoever has it next (L6).
func TestLostLock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, durable := newLockable(), newOutside(time.Hour)
		ended := make(chan error, 1)
		mortal := &recorder{do: func(ctx context.Context, _ *attempt) (result, error) {
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return result{}, context.Cause(ctx)
		}}
		r := &runner.Runner{
			Executor: mortal, Pools: map[string]executor.Executor{"durable": durable}, Log: log,
		}
		d := tasks(task("a"), task("b"))
		d.Tasks[1].Pool = "durable"
		h, err := r.Ensure(t.Context(), "x", d)
		require.NoError(t, err)
		synctest.Wait()
		go log.lost["x"]()
		require.NotErrorIs(t, <-ended, executor.ErrDetach)
		_, err = h.Wait(t.Context())
		require.ErrorIs(t, err, statelog.ErrActive)
		require.ErrorIs(t, err, runner.ErrInterrupted)
		require.Equal(t, 1, durable.Stats().Running, "what is durable goes on")
	})
}
