package sqllog

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
)

const testLease = time.Minute

// locked takes a lock in virtual time and returns what tells whether it is lost.
func locked(t *testing.T, server *fakeServer) (lost func() bool, release func() error) {
	t.Helper()
	log := newFakeLog(t, server, Config{Lease: testLease})
	release, err := log.Lock(t.Context(), "run", "engine")
	require.NoError(t, err)
	var calls atomic.Int64
	log.OnLost("run", "engine", func() { calls.Add(1) })
	stopped := log.OnLost("run", "engine", func() { t.Error("it was stopped") })
	stopped()
	return func() bool {
		synctest.Wait()
		require.LessOrEqual(t, calls.Load(), int64(1), "calls of a function")
		return calls.Load() == 1
	}, release
}

func TestLockIsRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &fakeServer{}
		lost, release := locked(t, server)
		<-time.After(10 * testLease)
		require.False(t, lost())
		require.GreaterOrEqual(t, len(server.statements()), 10*renewals-1)
		require.NoError(t, release())
		require.NoError(t, release())
		sent := server.statements()
		require.Equal(t, "DELETE FROM", sent[len(sent)-1])
		<-time.After(10 * testLease)
		require.Len(t, server.statements(), len(sent), "statements after the release")
		require.False(t, lost())
	})
}

func TestLockIsLostInTimeToStop(t *testing.T) {
	t.Parallel()
	for name, exec := range map[string]func(context.Context, string, []any) (int64, error){
		"the database refuses": func(context.Context, string, []any) (int64, error) {
			return 0, errors.New("away")
		},
		"the database stands still": func(ctx context.Context, _ string, _ []any) (int64, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &fakeServer{}
				lost, release := locked(t, server)
				server.on(func() { server.exec = exec })
				<-time.After(testLease/lostAfter - time.Nanosecond)
				require.False(t, lost())
				<-time.After(testLease / renewals)
				require.True(t, lost(), "nobody else can have it for %v", testLease/3)
				sent := len(server.statements())
				require.NoError(t, release(), "it is left to the end of its lease")
				require.Len(t, server.statements(), sent)
			})
		})
	}
}

func TestLockThatSomebodyElseHasIsLostAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &fakeServer{}
		lost, release := locked(t, server)
		server.on(func() {
			server.exec = func(context.Context, string, []any) (int64, error) { return 0, nil }
		})
		<-time.After(testLease / renewals)
		require.True(t, lost())
		require.NoError(t, release())
	})
}

func TestDatabaseThatIsBackInTimeKeepsTheLock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &fakeServer{}
		lost, release := locked(t, server)
		<-time.After(testLease / renewals / 2) // between renewals
		for range 5 {
			server.on(func() {
				server.exec = func(context.Context, string, []any) (int64, error) {
					return 0, errors.New("away")
				}
			})
			<-time.After(testLease / renewals)
			server.on(func() { server.exec = nil })
			<-time.After(testLease / renewals)
		}
		require.False(t, lost())
		require.NoError(t, release())
	})
}

func TestWhoHasALockAlready(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &fakeServer{}
		log := newFakeLog(t, server, Config{})
		log.OnLost("run", "engine", func() { t.Error("the engine never had the run") })
		release, err := log.Lock(t.Context(), "run", "engine")
		require.NoError(t, err)
		_, err = log.Lock(t.Context(), "run", "engine")
		require.ErrorIs(t, err, statelog.ErrActive, "the same engine")
		server.on(func() {
			server.exec = func(context.Context, string, []any) (int64, error) { return 0, nil }
		})
		_, err = log.Lock(t.Context(), "run", "other")
		require.ErrorIs(t, err, statelog.ErrActive, "another engine")

		<-time.After(DefaultLease)
		var called atomic.Bool
		log.OnLost("run", "engine", func() { called.Store(true) })
		synctest.Wait()
		require.True(t, called.Load(), "it was lost before anybody asked")
		server.on(func() { server.exec = nil })
		again, err := log.Lock(t.Context(), "run", "engine")
		require.NoError(t, err, "the same engine has it again")
		require.NoError(t, release(), "of the lock that was lost")
		_, err = log.Lock(t.Context(), "run", "engine")
		require.ErrorIs(t, err, statelog.ErrActive, "release of the first does not end the second")
		require.NoError(t, again())
	})
}
