package sqllog_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/sqllog"
)

// Five batches of ten records, of which something is damaged: what is before it
// is read, and the error names the first record that cannot be.
func damagedTables(t *testing.T, d database) {
	t.Helper()
	t.Parallel()
	for _, tc := range []struct {
		name, statement string
		good            int
	}{
		{"a byte is another", change + "data = {flipped} WHERE last_seq = 30", 20},
		{"a batch is missing", "DELETE FROM {p}batches WHERE last_seq = 20", 10},
		{"the first is missing", "DELETE FROM {p}batches WHERE last_seq = 10", 0},
		{"the last is missing", "DELETE FROM {p}batches WHERE last_seq = 50", 40},
		{"a batch is empty", change + "data = {empty} WHERE last_seq = 40", 30},
		{"a batch has strayed", change + strayed, 20},
		{"a batch claims more", change + "last_seq = 55 WHERE last_seq = 50", 40},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			damaged(t, d, tc.statement, tc.good)
		})
	}
}

const (
	change = "UPDATE {p}batches SET "
	// strayed has the data of the first batch in the place of the third.
	strayed = "data = (SELECT data FROM {p}batches WHERE last_seq = 10) WHERE last_seq = 30"
)

func damaged(t *testing.T, d database, statement string, good int) {
	t.Helper()
	db := d.open(t)
	c := sqllog.Config{Dialect: d.dialect, Prefix: fmt.Sprintf("damaged%d_", prefixes.Add(1))}
	log := newLog(t, db, c)
	end := uint64(0)
	for range 5 {
		end = mustAppend(t, log, "run", end, attempts(10))
	}
	require.Equal(t, int64(1), mustExec(t, db, fill(t, db, c, statement)))

	read := 0
	var err error
	for rec, e := range log.Read(t.Context(), "run", 0) {
		if err = e; err == nil {
			read++
			require.Equal(t, uint64(read), rec.Seq)
		}
	}
	var corrupt *statelog.CorruptError
	require.ErrorAs(t, err, &corrupt)
	require.Equal(t, good, read)
	require.Equal(t, uint64(good+1), corrupt.Seq)
	require.Contains(t, corrupt.Path, c.Prefix+"batches")
}

// fill puts in the prefix and bytes.
func fill(t *testing.T, db *sql.DB, c sqllog.Config, statement string) string {
	t.Helper()
	var data []byte
	query := "SELECT data FROM " + c.Prefix + "batches WHERE last_seq = 30"
	require.NoError(t, db.QueryRowContext(t.Context(), query).Scan(&data))
	data[len(data)/2] ^= 1
	flipped, empty := fmt.Sprintf("X'%x'", data), "X''"
	if c.Dialect == sqllog.Postgres {
		flipped, empty = fmt.Sprintf(`'\x%x'::bytea`, data), `''::bytea`
	}
	return replace(statement, "{p}", c.Prefix, "{flipped}", flipped, "{empty}", empty)
}

func databaseThatWasRestored(t *testing.T, d database) {
	t.Helper()
	t.Parallel()
	db := d.open(t)
	c := sqllog.Config{Dialect: d.dialect, Prefix: "restored_"}
	log := newLog(t, db, c)
	end := mustAppend(t, log, "run", 0, attempts(10))
	end = mustAppend(t, log, "run", end, attempts(10))
	mustExec(t, db, "DELETE FROM restored_batches WHERE last_seq = 20")
	mustExec(t, db, "UPDATE restored_runs SET seq = 10")
	_, err := log.Append(t.Context(), "run", end, attempts(1))
	require.ErrorIs(t, err, statelog.ErrLogRewound)
	for _, err := range log.Read(t.Context(), "run", 0) {
		require.ErrorIs(t, err, statelog.ErrLogRewound)
	}
}

func pruneClosedRuns(t *testing.T, d database) {
	t.Helper()
	t.Parallel()
	db := d.open(t)
	log := newLog(t, db, sqllog.Config{Dialect: d.dialect, Prefix: "pruned_"})
	for age := range 6 {
		run := fmt.Sprintf("closed %d days ago", age)
		end := mustAppend(t, log, run, 0, opening(age))
		mustAppend(t, log, run, end, closing(age))
	}
	mustAppend(t, log, "open", 0, opening(90))
	end := mustAppend(t, log, "reopened", 0, append(opening(90), closing(90)...))
	mustAppend(t, log, "reopened", end, []statelog.Record{{Kind: statelog.Reopened}})

	prune(t, log, statelog.Retention{}, 0)
	prune(t, log, statelog.Retention{Age: 84 * time.Hour}, 2) // 4 and 5 days
	prune(t, log, statelog.Retention{Count: 3}, 1)            // 3 days
	prune(t, log, statelog.Retention{Age: 12 * time.Hour, Count: 2}, 2)
	prune(t, log, statelog.Retention{Age: time.Hour, Count: 1}, 0)
	var left []string
	for info, err := range log.Runs(t.Context(), statelog.Query{}) {
		require.NoError(t, err)
		left = append(left, info.Run)
	}
	require.ElementsMatch(t, []string{"open", "reopened", "closed 0 days ago"}, left)
	_, err := log.Append(t.Context(), "closed 5 days ago", 2, attempts(1))
	require.ErrorIs(t, err, statelog.ErrNoRun)

	for _, table := range []string{"batches", "tags"} {
		var n int
		query := "SELECT count(DISTINCT run_id) FROM pruned_" + table
		require.NoError(t, db.QueryRowContext(t.Context(), query).Scan(&n))
		require.Equal(t, 3, n, "runs that have %s", table)
	}
	mustAppend(t, log, "closed 5 days ago", 0, opening(0))
}

func prune(t *testing.T, log *sqllog.Log, keep statelog.Retention, want int) {
	t.Helper()
	removed, err := log.Prune(t.Context(), keep)
	require.NoError(t, err)
	require.Equal(t, want, removed, "%+v", keep)
}

func daysAgo(n int) time.Time { return time.Now().AddDate(0, 0, -n) }

func opening(days int) []statelog.Record {
	tags := map[string]string{"days": fmt.Sprint(days)}
	return []statelog.Record{{
		Kind: statelog.Opened, Time: daysAgo(days), Opened: &statelog.Opening{Tags: tags},
	}}
}

func closing(days int) []statelog.Record {
	return []statelog.Record{{Kind: statelog.Closed, Time: daysAgo(days), State: "completed"}}
}
