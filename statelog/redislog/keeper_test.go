package redislog

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
)

const lease = 30 * time.Second

// lostAfter keeps a lease for at most an hour, and returns when it was lost.
func lostAfter(
	t *testing.T, renew func(ctx context.Context, since time.Duration) error,
) (at time.Duration, lost bool) {
	t.Helper()
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	k := keeper{lease: lease, renew: func(ctx context.Context) error {
		return renew(ctx, time.Since(start))
	}}
	k.keep(ctx, start, func() { at, lost = time.Since(start), true })
	return at, lost
}

func TestLeaseIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		renewed := 0
		_, lost := lostAfter(t, func(context.Context, time.Duration) error {
			renewed++
			return nil
		})
		require.False(t, lost)
		require.GreaterOrEqual(t, renewed, 3600/30*5, "five times a lease or more")
	})
}

// A server that is away for less than a lease minus the margin costs nothing.
func TestLeaseOutlivesAShortOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, lost := lostAfter(t, func(_ context.Context, since time.Duration) error {
			if since > time.Minute && since < time.Minute+lease/3 {
				return errors.New("away")
			}
			return nil
		})
		require.False(t, lost)
	})
}

// L6: it is said in time. The last renewal was sent at 60 s, so nobody else has
// the run before 90 s.
func TestLossIsSaidBeforeTheLeaseEnds(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(ctx context.Context) error{
		"refused": func(context.Context) error { return errors.New("away") },
		"hangs": func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				at, lost := lostAfter(t, func(ctx context.Context, since time.Duration) error {
					if since > time.Minute {
						return fault(ctx)
					}
					return nil
				})
				require.True(t, lost)
				require.Equal(t, time.Minute+lease*2/3, at)
			})
		})
	}
}

// An answer that takes long counts from when it was asked for.
func TestSlowRenewalsCountFromTheirRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var sent time.Duration
		at, lost := lostAfter(t, func(ctx context.Context, since time.Duration) error {
			if sent > 0 {
				return errors.New("away")
			}
			sent = since
			timer := time.NewTimer(10 * time.Second)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
			return nil
		})
		require.True(t, lost)
		require.Equal(t, sent+lease*2/3, at)
	})
}

func TestLossIsSaidAtOnceWhenAnotherHasTheRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		at, lost := lostAfter(t, func(context.Context, time.Duration) error {
			return statelog.ErrActive
		})
		require.True(t, lost)
		require.Equal(t, lease/6, at)
	})
}
