package remote_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor/remote"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// A key that belongs to another session is asked for, and stays the other's.
func TestMovedAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, first := running(t, remote.Config{})
		young := open(t, remote.Config{}, d)
		second := start(t, young, "a", "k1", resumed)
		synctest.Wait()
		d.completes(t, second)
		<-first.done
		require.NoError(t, first.err)
		require.Positive(t, d.count("GET /api/v1/task/k1"))
	})
}

// Who has lost an attempt to another engine, which has recorded its outcome, hears
// that nothing runs any more.
func TestMovedAndAcknowledged(t *testing.T) {
	t.Parallel()
	for _, stop := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			d, _, c := running(t, remote.Config{})
			d.set(func() {
				session := d.tasks["k1"].session
				d.tasks["k1"].session = "another"
				d.tasks["k1"].state = wire.State{Key: "k1", State: wire.Closed}
				d.moved[session] = []string{"k1"}
				if stop {
					c.cancel(context.Canceled) // before anything of that is heard
				}
			})
			sleep(time.Minute)
			require.True(t, c.over())
			if stop {
				require.ErrorIs(t, c.err, context.Canceled)
				return
			}
			isLost(t, c.err)
		})
	}
}

// That an attempt went to another engine is told once, and may be lost with the stream.
func TestMovedUnheard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, first := running(t, remote.Config{})
		young := open(t, remote.Config{}, d)
		synctest.Wait()
		d.set(func() {
			d.tasks["k1"].session = "another"
			d.cut = true
		})
		d.hangUp()
		synctest.Wait()
		d.set(func() { d.cut = false })
		sleep(time.Minute)
		second := start(t, young, "a", "k1", resumed)
		synctest.Wait()
		d.completes(t, second)
		<-first.done
		require.NoError(t, first.err)
	})
}

// What another session closed and forgot is closed, whatever was known before.
func TestClosedByOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, c := running(t, remote.Config{})
		d.set(func() {
			d.moved[d.tasks["k1"].session] = []string{"k1"}
			d.tasks["k1"].session = "other"
			d.tasks["k1"].state = wire.State{Key: "k1", State: wire.Closed}
		})
		<-c.done
		isLost(t, c.err)
	})
}
