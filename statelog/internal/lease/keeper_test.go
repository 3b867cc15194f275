package lease_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/internal/lease"
)

func TestWhoHasALeaseAlready(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		k := lease.New(s, term, lostAfter)
		k.OnLost("run", "engine", func() { t.Error("the engine never had the run") })
		release, err := k.Lock(t.Context(), "run", "engine")
		require.NoError(t, err)
		_, err = k.Lock(t.Context(), "run", "engine")
		require.ErrorIs(t, err, statelog.ErrActive, "the same engine")
		_, err = k.Lock(t.Context(), "run", "other")
		require.ErrorIs(t, err, statelog.ErrActive, "another engine")
		require.Contains(t, err.Error(), `"engine"`, "who has it")
		require.Equal(t, []string{"take"}, s.arrived(), "the store need not be asked")
		_, err = lease.New(s, term, lostAfter).Lock(t.Context(), "run", "other")
		require.ErrorIs(t, err, statelog.ErrActive, "another program")

		s.on(func() { s.runs["run"] = held{"thief", time.Now().Add(term / 2)} })
		pass(term)
		var called atomic.Bool
		k.OnLost("run", "engine", func() { called.Store(true) })
		synctest.Wait()
		require.True(t, called.Load(), "it was lost before anybody asked")
		again, err := k.Lock(t.Context(), "run", "engine")
		require.NoError(t, err, "the same engine has it again")
		k.OnLost("run", "engine", func() { t.Error("the second is not lost") })
		require.NoError(t, release(), "of the lease that was lost")
		require.Equal(t, "engine", s.holder("run"), "release of the first ended the second")
		_, err = k.Lock(t.Context(), "run", "engine")
		require.ErrorIs(t, err, statelog.ErrActive, "release of the first does not end the second")
		require.NoError(t, again())
		require.Empty(t, s.holder("run"))
	})
}

// An engine hears that its lease was lost when another one here has the run since.
func TestLostLeaseIsRememberedUntilItIsReleased(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		k := lease.New(s, term, lostAfter)
		w := lock(t, k)
		s.on(func() { s.runs["run"] = held{"thief", time.Now().Add(term / 2)} })
		pass(term)
		_, lost := w.whenLost(t)
		require.True(t, lost)
		other, err := k.Lock(t.Context(), "run", "next")
		require.NoError(t, err)
		var called atomic.Bool
		k.OnLost("run", "engine", func() { called.Store(true) })
		synctest.Wait()
		require.True(t, called.Load())
		require.NoError(t, w.release())
		k.OnLost("run", "engine", func() { t.Error("it was released") })
		require.NoError(t, other())
	})
}

// A failed Lock leaves nothing behind.
func TestStoreThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		k := lease.New(s, term, lostAfter)
		s.fault = func(context.Context, string, time.Duration) error { return errAway }
		_, err := k.Lock(t.Context(), "run", "engine")
		require.ErrorIs(t, err, errAway)
		k.OnLost("run", "engine", func() { t.Error("the engine never had the run") })
		s.on(func() { s.fault = nil })
		release, err := k.Lock(t.Context(), "run", "engine")
		require.NoError(t, err)
		s.on(func() {
			s.fault = func(ctx context.Context, _ string, _ time.Duration) error {
				<-ctx.Done()
				return ctx.Err()
			}
		})
		start := time.Now()
		require.ErrorIs(t, release(), context.DeadlineExceeded)
		require.Less(t, time.Since(start), term, "it waits no longer than for the lease")
	})
}

// The lease outlives the context that it was taken with.
func TestLeaseIsRenewedAfterItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		k := lease.New(s, term, lostAfter)
		ctx, cancel := context.WithCancel(t.Context())
		release, err := k.Lock(ctx, "run", "engine")
		require.NoError(t, err)
		cancel()
		pass(10 * term)
		require.Equal(t, "engine", s.holder("run"))
		require.NoError(t, release())
		require.Empty(t, s.holder("run"))
	})
}

// An engine that takes a run again while it gives it back would lose it unheard.
func TestNobodyTakesWhatIsBeingGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		k := lease.New(s, term, lostAfter)
		release, err := k.Lock(t.Context(), "run", "engine")
		require.NoError(t, err)
		s.fault = func(_ context.Context, call string, _ time.Duration) error {
			if call == "give" {
				_, err := k.Lock(t.Context(), "run", "engine")
				require.ErrorIs(t, err, statelog.ErrActive)
			}
			return nil
		}
		require.NoError(t, release())
		again, err := k.Lock(t.Context(), "run", "engine")
		require.NoError(t, err)
		require.NoError(t, again())
	})
}

func TestCloseEndsRenewing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		k := lease.New(s, term, lostAfter)
		w := lock(t, k)
		k.Close()
		k.Close()
		pass(10 * term)
		require.Equal(t, []string{"take"}, s.arrived())
		_, lost := w.whenLost(t)
		require.False(t, lost)
		_, err := k.Lock(t.Context(), "other", "engine")
		require.ErrorIs(t, err, lease.ErrClosed)
		require.NoError(t, w.release())
		require.Equal(t, []string{"take", "give"}, s.arrived())
	})
}

func TestCloseWhileARunIsTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		k := lease.New(s, term, lostAfter)
		s.fault = func(context.Context, string, time.Duration) error {
			k.Close()
			return nil
		}
		_, err := k.Lock(t.Context(), "run", "engine")
		require.ErrorIs(t, err, lease.ErrClosed)
		pass(term)
		require.Equal(t, []string{"take"}, s.arrived())
		require.Empty(t, s.holder("run"), "it ended by itself")
	})
}
