package redislog_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/redislog"
)

// signalled is how tests wait for what a goroutine of the log does.
func signalled(t *testing.T, c <-chan struct{}) {
	t.Helper()
	timer := time.NewTimer(30 * time.Second)
	defer timer.Stop()
	select {
	case <-c:
	case <-timer.C:
		require.FailNow(t, "it was not called")
	}
}

// L6: two programs.
func TestLockIsSharedByPrograms(t *testing.T) {
	t.Parallel()
	server, client := connect(t)
	one, other := open(t, client, redislog.Config{}), open(t, client, redislog.Config{})
	release, err := one.Lock(t.Context(), "run", "one")
	require.NoError(t, err)
	_, err = other.Lock(t.Context(), "run", "other")
	require.ErrorIs(t, err, statelog.ErrActive)
	require.Contains(t, err.Error(), `"one"`, "who has it")
	require.Equal(t, 30*time.Second, server.TTL("{daggy}:lock:run"))

	require.NoError(t, release())
	release, err = other.Lock(t.Context(), "run", "other")
	require.NoError(t, err)
	require.NoError(t, release())
	require.False(t, server.Exists("{daggy}:lock:run"))
}

// The lease of a program that died ends by the server's clock.
func TestLockOfADeadProgramEnds(t *testing.T) {
	t.Parallel()
	server, client := connect(t)
	dead := open(t, client, redislog.Config{})
	_, err := dead.Lock(t.Context(), "run", "dead")
	require.NoError(t, err)
	require.NoError(t, dead.Close())
	log := open(t, client, redislog.Config{})
	server.FastForward(29 * time.Second)
	_, err = log.Lock(t.Context(), "run", "next")
	require.ErrorIs(t, err, statelog.ErrActive)
	server.FastForward(2 * time.Second)
	release, err := log.Lock(t.Context(), "run", "next")
	require.NoError(t, err)
	require.NoError(t, release())
}

func TestLostLockIsSaid(t *testing.T) {
	t.Parallel()
	server, client := connect(t)
	log := open(t, client, redislog.Config{Lease: time.Second})
	release, err := log.Lock(t.Context(), "run", "engine")
	require.NoError(t, err)
	lost, taken := make(chan struct{}), make(chan struct{})
	log.OnLost("run", "engine", func() { close(lost) })
	log.OnLost("run", "another", func() { t.Error("it does not have the run") })
	stop := log.OnLost("run", "engine", func() { t.Error("it was taken back") })
	stop()
	require.NoError(t, server.Set("{daggy}:lock:run", "thief@0"))
	signalled(t, lost)
	log.OnLost("run", "engine", func() { close(taken) })
	signalled(t, taken)

	require.NoError(t, release())
	require.NoError(t, release())
	got, err := server.Get("{daggy}:lock:run")
	require.NoError(t, err)
	require.Equal(t, "thief@0", got, "what is another's was given back")
}

// A server that was restarted without its data is given the lock again.
func TestForgottenLockIsRenewed(t *testing.T) {
	t.Parallel()
	server, client := connect(t)
	log := open(t, client, redislog.Config{Lease: time.Second})
	release, err := log.Lock(t.Context(), "run", "engine")
	require.NoError(t, err)
	server.Del("{daggy}:lock:run")
	require.Eventually(t, func() bool { return server.Exists("{daggy}:lock:run") },
		30*time.Second, time.Millisecond)
	require.NoError(t, release())
}

func TestClosedLogLocksNothing(t *testing.T) {
	t.Parallel()
	_, client := connect(t)
	log := open(t, client, redislog.Config{})
	require.NoError(t, log.Close())
	_, err := log.Lock(t.Context(), "run", "engine")
	require.Error(t, err)
	release, err := open(t, client, redislog.Config{}).Lock(t.Context(), "run", "other")
	require.NoError(t, err, "it left a lock behind")
	require.NoError(t, release())
}
