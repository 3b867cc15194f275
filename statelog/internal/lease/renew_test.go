package lease_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog/internal/lease"
)

var errAway = errors.New("away")

// keptFor keeps a lease for at most an hour in a store that has faults, and
// returns when it was lost.
func keptFor(
	t *testing.T, fault func(ctx context.Context, since time.Duration) error,
) (at time.Duration, lost bool) {
	t.Helper()
	s := newStore()
	s.fault = func(ctx context.Context, call string, since time.Duration) error {
		if call != "renew" {
			return nil
		}
		return fault(ctx, since)
	}
	w := lock(t, lease.New(s, term, lostAfter))
	pass(time.Hour)
	at, lost = w.whenLost(t)
	require.NoError(t, w.release())
	return at, lost
}

func TestLeaseIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		w := lock(t, lease.New(s, term, lostAfter))
		pass(time.Hour)
		_, lost := w.whenLost(t)
		require.False(t, lost)
		require.GreaterOrEqual(t, len(s.arrived()), 3600/30*5, "five times a term or more")
		require.NoError(t, w.release())
		require.NoError(t, w.release())
		calls := s.arrived()
		require.Equal(t, "give", calls[len(calls)-1])
		require.NotContains(t, calls[:len(calls)-1], "give", "it is given back once")
		require.Empty(t, s.holder("run"))
		pass(10 * term)
		require.Len(t, s.arrived(), len(calls), "calls after the release")
		_, lost = w.whenLost(t)
		require.False(t, lost)
	})
}

// A store that is away for less than a term minus the margin costs nothing.
func TestLeaseOutlivesShortOutages(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(since time.Duration) bool{
		"one": func(since time.Duration) bool {
			return since > time.Minute && since < time.Minute+term/3
		},
		"many": func(since time.Duration) bool { return since/(term/6)%2 == 1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				failed := 0
				_, lost := keptFor(t, func(_ context.Context, since time.Duration) error {
					if away(since) {
						failed++
						return errAway
					}
					return nil
				})
				require.False(t, lost)
				require.NotZero(t, failed)
			})
		})
	}
}

// L6: it is said in time. The last renewal was sent at 60 s, so nobody else has
// the run before 90 s.
func TestLossIsSaidBeforeTheLeaseEnds(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(ctx context.Context) error{
		"refused": func(context.Context) error { return errAway },
		"hangs": func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		},
		"hangs whatever its context says": func(context.Context) error {
			pass(time.Minute)
			return errAway
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				at, lost := keptFor(t, func(ctx context.Context, since time.Duration) error {
					if since > time.Minute {
						return fault(ctx)
					}
					return nil
				})
				require.True(t, lost)
				require.Equal(t, time.Minute+lostAfter, at)
			})
		})
	}
}

// What is lost is left to the end of its lease.
func TestLostLeaseIsNotGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		w := lock(t, lease.New(s, term, lostAfter))
		s.on(func() {
			s.fault = func(context.Context, string, time.Duration) error { return errAway }
		})
		pass(lostAfter - time.Nanosecond)
		_, lost := w.whenLost(t)
		require.False(t, lost)
		pass(time.Nanosecond)
		_, lost = w.whenLost(t)
		require.True(t, lost)
		require.Equal(t, "engine", s.holder("run"), "nobody else can have it yet")
		sent := len(s.arrived())
		require.NoError(t, w.release())
		pass(10 * term)
		require.Len(t, s.arrived(), sent)
	})
}

// An answer that takes long counts from when it was asked for.
func TestSlowRenewalsCountFromTheirRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var sent time.Duration
		at, lost := keptFor(t, func(_ context.Context, since time.Duration) error {
			if sent > 0 {
				return errAway
			}
			sent = since
			pass(10 * time.Second)
			return nil
		})
		require.True(t, lost)
		require.Equal(t, sent+lostAfter, at)
	})
}

func TestLossIsSaidAtOnceWhenAnotherHasTheRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		w := lock(t, lease.New(s, term, lostAfter))
		s.on(func() { s.runs["run"] = held{"thief", time.Now().Add(time.Hour)} })
		pass(term / 6)
		at, lost := w.whenLost(t)
		require.True(t, lost)
		require.Equal(t, term/6, at)
		require.NoError(t, w.release())
		require.Equal(t, "thief", s.holder("run"), "what is another's was given back")
	})
}
