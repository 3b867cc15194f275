package sqllog_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/sqllog"
)

// An engine whose connections are gone hears that its lock is lost, and only
// then can another one have the run.
func lockOfAnEngineThatIsCutOff(t *testing.T, d database) {
	t.Helper()
	t.Parallel()
	first, second := d.pair(t)
	c := sqllog.Config{Dialect: d.dialect, Prefix: "cutoff_", Lease: 2 * time.Second}
	log, other := newLog(t, first, c), newLog(t, second, c)
	release, err := log.Lock(t.Context(), "run", "first")
	require.NoError(t, err)
	lost := make(chan struct{})
	log.OnLost("run", "first", func() { close(lost) })

	awaitRenewal(t, second)
	_, err = other.Lock(t.Context(), "run", "second")
	require.ErrorIs(t, err, statelog.ErrActive)

	require.NoError(t, first.Close())
	taken := lockWhenFree(t, other, "run", "second")
	select {
	case <-lost:
	default:
		require.Fail(t, "the second has the run, and the first does not know")
	}
	require.NoError(t, release())
	_, err = other.Lock(t.Context(), "run", "third")
	require.ErrorIs(t, err, statelog.ErrActive)
	require.NoError(t, taken())
}

func lockThatWasTakenIsLost(t *testing.T, d database) {
	t.Helper()
	t.Parallel()
	db := d.open(t)
	c := sqllog.Config{Dialect: d.dialect, Prefix: "taken_", Lease: 2 * time.Second}
	log := newLog(t, db, c)
	release, err := log.Lock(t.Context(), "run", "first")
	require.NoError(t, err)
	lost := make(chan struct{})
	log.OnLost("run", "first", func() { close(lost) })
	mustExec(t, db, "UPDATE taken_locks SET engine = 'second'")
	<-lost
	require.NoError(t, release())
	var engine string
	query := "SELECT engine FROM taken_locks"
	require.NoError(t, db.QueryRowContext(t.Context(), query).Scan(&engine))
	require.Equal(t, "second", engine, "it is not the first's to give back")
}

// awaitRenewal waits until the end of a lease has moved.
func awaitRenewal(t *testing.T, db querier) {
	t.Helper()
	end := func() (ms int64) {
		query := "SELECT expires_ms FROM cutoff_locks"
		require.NoError(t, db.QueryRowContext(t.Context(), query).Scan(&ms))
		return ms
	}
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for first := end(); end() == first; {
		<-ticker.C
	}
}

func lockWhenFree(t *testing.T, log *sqllog.Log, run, engine string) (release func() error) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		release, err := log.Lock(t.Context(), run, engine)
		if !errors.Is(err, statelog.ErrActive) {
			require.NoError(t, err)
			return release
		}
		<-ticker.C
	}
}
