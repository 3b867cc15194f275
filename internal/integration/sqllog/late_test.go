package sqllog_test

import (
	"context"
	"database/sql"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/integration/servertest"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/sqllog"
)

// The process of the server that has the statement stands still. What is read
// back then must stay true when it goes on.
func TestAppendThatIsLateIsForbidden(t *testing.T) {
	t.Parallel()
	pg := servertest.StartPostgres(t)
	for name, before := range map[string]int{"opening": 0, "going on": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pg.Open(t)
			db.SetMaxOpenConns(1)
			log := newLog(t, db, sqllog.Config{Dialect: sqllog.Postgres})
			// Statements that are prepared are sent all at once.
			mustAppend(t, log, "other", mustAppend(t, log, "other", 0, attempts(1)), attempts(1))
			end := uint64(0)
			if before > 0 {
				end = mustAppend(t, log, "run", 0, attempts(before))
			}
			goOn := appendLate(t, db, log, end)
			require.Len(t, read(t, log, "run"), before, "read back while it stands still")
			goOn()
			require.Len(t, read(t, log, "run"), before, "read back after it went on")
			end = mustAppend(t, log, "run", end, attempts(2))
			require.Equal(t, uint64(before+2), end)
			require.Len(t, read(t, log, "run"), before+2)
		})
	}
}

// appendLate appends in a way that the server only comes to it when goOn is
// called, which returns when it is done with it.
func appendLate(t *testing.T, db *sql.DB, log *sqllog.Log, after uint64) (goOn func()) {
	t.Helper()
	var pid int
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT pg_backend_pid()").Scan(&pid))
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := log.Append(ctx, "run", after, attempts(5))
	require.ErrorIs(t, err, statelog.ErrAmbiguous)
	return func() {
		require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
		// It ends once it finds that nobody is there to answer.
		for n := 1; n > 0; {
			query := "SELECT count(*) FROM pg_stat_activity WHERE pid = $1"
			require.NoError(t, db.QueryRowContext(t.Context(), query, pid).Scan(&n))
		}
	}
}

func mustAppend(
	t *testing.T, log *sqllog.Log, run string, after uint64, recs []statelog.Record,
) uint64 {
	t.Helper()
	end, err := log.Append(t.Context(), run, after, recs)
	require.NoError(t, err)
	return end
}

// read returns the records of a run, none if there is no such run.
func read(t *testing.T, log *sqllog.Log, run string) []statelog.Record {
	t.Helper()
	var recs []statelog.Record
	for rec, err := range log.Read(t.Context(), run, 0) {
		if err != nil {
			require.ErrorIs(t, err, statelog.ErrNoRun)
			continue
		}
		recs = append(recs, rec)
	}
	return recs
}
