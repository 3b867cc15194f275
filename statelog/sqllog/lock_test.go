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

// What leases do in time is tested in package lease.

const testLease = time.Minute

// locked takes a lock in virtual time and returns what tells whether it is lost.
func locked(t *testing.T, server *fakeServer) (lost func() bool, release func() error) {
	t.Helper()
	log := newFakeLog(t, server, Config{Lease: testLease})
	release, err := log.Lock(t.Context(), "run", "engine")
	require.NoError(t, err)
	var called atomic.Bool
	log.OnLost("run", "engine", func() { called.Store(true) })
	return func() bool {
		synctest.Wait()
		return called.Load()
	}, release
}

// answer has the server answer so from now on.
func (s *fakeServer) answer(rows int64, err error) {
	s.on(func() {
		s.exec = func(context.Context, string, []any) (int64, error) { return rows, err }
	})
}

func TestLockIsRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &fakeServer{}
		lost, release := locked(t, server)
		<-time.After(10 * testLease)
		require.False(t, lost())
		sent := server.statements()
		require.Equal(t, "INSERT INTO", sent[0])
		require.GreaterOrEqual(t, len(sent), 10*6-1)
		for _, statement := range sent[1:] {
			require.Equal(t, "UPDATE daggy_locks", statement)
		}
		require.NoError(t, release())
		require.NoError(t, release())
		sent = append(sent, "DELETE FROM")
		require.Equal(t, sent, server.statements())
	})
}

func TestLockIsLostAfterHalfOfItsLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &fakeServer{}
		lost, release := locked(t, server)
		server.answer(0, errors.New("away"))
		<-time.After(testLease/2 - time.Nanosecond)
		require.False(t, lost())
		<-time.After(time.Nanosecond)
		require.True(t, lost())
		require.NoError(t, release(), "it is left to the end of its lease")
	})
}

func TestLockThatSomebodyElseHas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &fakeServer{}
		lost, release := locked(t, server)
		server.answer(0, nil)
		<-time.After(testLease / 6)
		require.True(t, lost(), "of a renewal that changed nothing")
		require.NoError(t, release())
		_, err := newFakeLog(t, server, Config{}).Lock(t.Context(), "run", "other")
		require.ErrorIs(t, err, statelog.ErrActive)
	})
}
