package sqllog_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite" // driver "sqlite"

	"github.com/daggy-go/daggy/internal/integration/servertest"
	"github.com/daggy-go/daggy/statelog/sqllog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// prefixes numbers the logs, so that many can share a database.
var prefixes atomic.Int64

// A database is where the tests make their logs.
type database struct {
	dialect sqllog.Dialect
	// open returns connections to a database that lives as long as the test.
	open func(tb testing.TB) *sql.DB
	// pair returns two pools of connections to the same database.
	pair func(tb testing.TB) (*sql.DB, *sql.DB)
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// databases starts what there is, each once for the test.
func databases(tb testing.TB) map[string]database {
	tb.Helper()
	pg := servertest.StartPostgres(tb)
	open := func(tb testing.TB) *sql.DB {
		tb.Helper()
		db := pg.Open(tb)
		db.SetMaxOpenConns(10)
		return db
	}
	return map[string]database{
		"PostgreSQL": {sqllog.Postgres, open, func(tb testing.TB) (*sql.DB, *sql.DB) {
			tb.Helper()
			return open(tb), open(tb)
		}},
		"SQLite": {sqllog.SQLite, openSQLite, func(tb testing.TB) (*sql.DB, *sql.DB) {
			tb.Helper()
			path := filepath.Join(tb.TempDir(), "log.db")
			return openFile(tb, path), openFile(tb, path)
		}},
	}
}

func openSQLite(tb testing.TB) *sql.DB {
	tb.Helper()
	return openFile(tb, filepath.Join(tb.TempDir(), "log.db"))
}

func openFile(tb testing.TB, path string) *sql.DB {
	tb.Helper()
	db, err := sql.Open("sqlite", "file:"+path+
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, db.Close()) })
	return db
}

func replace(text string, pairs ...string) string {
	return strings.NewReplacer(pairs...).Replace(text)
}

func nextPrefix() string { return fmt.Sprintf("log%d_", prefixes.Add(1)) }

// newLog makes a log with tables of its own.
func newLog(tb testing.TB, db *sql.DB, c sqllog.Config) *sqllog.Log {
	tb.Helper()
	if c.Prefix == "" {
		c.Prefix = nextPrefix()
	}
	log, err := sqllog.Open(tb.Context(), db, c)
	require.NoError(tb, err)
	return log
}
