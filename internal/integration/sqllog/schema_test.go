package sqllog_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/daggy-go/daggy/internal/integration/servertest"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/sqllog"
	"github.com/daggy-go/daggy/statelog/statelogtest"
)

func manyMigrateAtOnce(t *testing.T, d database) {
	t.Helper()
	t.Parallel()
	db := d.open(t)
	group, ctx := errgroup.WithContext(t.Context())
	for i := range 8 {
		group.Go(func() error {
			log, err := sqllog.Open(ctx, db, sqllog.Config{Dialect: d.dialect})
			if err != nil {
				return err
			}
			_, err = log.Append(ctx, fmt.Sprint("run ", i), 0, statelogtest.Records())
			return err
		})
	}
	require.NoError(t, group.Wait())
	var rows int
	query := "SELECT count(*) FROM daggy_schema"
	require.NoError(t, db.QueryRowContext(t.Context(), query).Scan(&rows))
	require.Equal(t, 1, rows)
}

func newerTablesAreRefused(t *testing.T, d database) {
	t.Helper()
	t.Parallel()
	db := d.open(t)
	c := sqllog.Config{Dialect: d.dialect, Prefix: "newer_"}
	newLog(t, db, c)
	mustExec(t, db, "UPDATE newer_schema SET version = 7")
	_, err := sqllog.Open(t.Context(), db, c)
	var newer *sqllog.VersionError
	require.ErrorAs(t, err, &newer)
	require.Equal(t, 7, newer.Version)
	require.Equal(t, sqllog.SchemaVersion, newer.Known)
}

// Who may not make tables can use those that somebody else has made.
func TestNoRightToMakeTables(t *testing.T) {
	t.Parallel()
	pg := servertest.StartPostgres(t)
	owner := pg.Open(t)
	c := sqllog.Config{Dialect: sqllog.Postgres, Prefix: "daggy_"}
	newLog(t, owner, c)
	mustExec(t, owner, `CREATE ROLE worker LOGIN`)
	mustExec(t, owner, `REVOKE CREATE ON SCHEMA public FROM public`)
	tables := `ON ALL TABLES IN SCHEMA public TO worker`
	mustExec(t, owner, `GRANT SELECT, INSERT, UPDATE, DELETE `+tables)
	db, err := sql.Open("pgx", strings.Replace(pg.DSN(), "user=daggy", "user=worker", 1))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.ExecContext(t.Context(), "CREATE TABLE mine (n int)")
	require.Error(t, err)

	log, err := sqllog.Open(t.Context(), db, c)
	require.NoError(t, err)
	mustAppend(t, log, "run", 0, statelogtest.Records())
	release, err := log.Lock(t.Context(), "run", "engine")
	require.NoError(t, err)
	require.NoError(t, release())
}

// The queries that SCHEMA.md has for people are run.
func TestQueriesOfTheDocumentation(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../statelog/sqllog/SCHEMA.md")
	require.NoError(t, err)
	_, queries, found := strings.Cut(string(text), "\n## Queries\n")
	require.True(t, found)
	blocks := regexp.MustCompile(`(?m)(^    .*\n)+`).FindAllString(queries, -1)
	require.GreaterOrEqual(t, len(blocks), 4)

	db := servertest.StartPostgres(t).Open(t)
	log := newLog(t, db, sqllog.Config{Dialect: sqllog.Postgres, Prefix: "daggy_"})
	mustAppend(t, log, "run", 0, statelogtest.Records()[:3])
	for _, query := range blocks {
		rows, err := db.QueryContext(t.Context(), query)
		require.NoError(t, err, query)
		for rows.Next() {
			continue
		}
		require.NoError(t, rows.Err(), query)
		require.NoError(t, rows.Close())
	}
}

// Runs are found by indexes, whatever is asked. The server prefers to read all of
// a table as small as this one, unless it is told not to.
func TestQueriesUseIndexes(t *testing.T) {
	t.Parallel()
	db := servertest.StartPostgres(t).Open(t)
	db.SetMaxOpenConns(1)
	log := newLog(t, db, sqllog.Config{Dialect: sqllog.Postgres, Prefix: "daggy_"})
	mustAppend(t, log, "run", 0, statelogtest.Records())
	mustExec(t, db, "SET enable_seqscan = off")
	mustExec(t, db, "SET enable_sort = off")
	for index, use := range map[string]func() error{
		"runs_opened": func() error { return list(t, log, statelog.Query{}) },
		"runs_state": func() error {
			return list(t, log, statelog.Query{States: []string{"failed"}})
		},
		"tags_text": func() error {
			return list(t, log, statelog.Query{Tags: map[string]string{"team": "blue"}})
		},
		"runs_closed": func() error {
			_, err := log.Prune(t.Context(), statelog.Retention{Age: 1 << 62})
			return err
		},
		"batches_pkey": func() error { return list(t, log, statelog.Query{}, "run") },
	} {
		before := scans(t, db, "daggy_"+index)
		require.NoError(t, use())
		require.Greater(t, scans(t, db, "daggy_"+index), before, index)
	}
}

// list lists runs, and reads those that are named.
func list(t *testing.T, log *sqllog.Log, q statelog.Query, names ...string) (err error) {
	t.Helper()
	for _, e := range log.Runs(t.Context(), q) {
		err = errors.Join(err, e)
	}
	for _, name := range names {
		require.NotEmpty(t, read(t, log, name))
	}
	return err
}

// scans returns how often the connection has used an index.
func scans(t *testing.T, db *sql.DB, index string) (n int) {
	t.Helper()
	mustExec(t, db, "SELECT pg_stat_force_next_flush()")
	query := "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = $1"
	require.NoError(t, db.QueryRowContext(t.Context(), query, index).Scan(&n))
	return n
}

func mustExec(t *testing.T, db *sql.DB, query string, args ...any) int64 {
	t.Helper()
	result, err := db.ExecContext(context.WithoutCancel(t.Context()), query, args...)
	require.NoError(t, err, query)
	n, err := result.RowsAffected()
	require.NoError(t, err)
	return n
}
