package sqllog_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/sqllog"
)

// BenchmarkAppend compares the rate at which a run is appended to with that of a
// multi-row INSERT of the same batches that somebody writes by hand, into a table
// with a column for each number. Both take turns, batch by batch, so that the
// noise of the machine falls on both; the median of the ratios counts.
func BenchmarkAppend(b *testing.B) {
	for name, d := range databases(b) {
		for _, size := range []int{1, 100, 1000} {
			b.Run(fmt.Sprintf("db=%s/batch=%d", name, size), func(b *testing.B) {
				compareAppends(b, d, size)
			})
		}
	}
}

func compareAppends(b *testing.B, d database, size int) {
	b.Helper()
	const rounds, turns = 40, 5
	db := d.open(b)
	log := newLog(b, db, sqllog.Config{Dialect: d.dialect})
	hand := newByHand(b, db, d.dialect, size)
	recs := attempts(size)
	var ratios, rates []float64
	run := 0
	for b.Loop() {
		run++
		id := fmt.Sprint("run ", run)
		end := uint64(0)
		for range rounds {
			ours := timed(b, turns, func() (err error) {
				end, err = log.Append(b.Context(), id, end, recs)
				return err
			})
			theirs := timed(b, turns, func() error { return hand.insert(b.Context(), recs) })
			ratios = append(ratios, theirs.Seconds()/ours.Seconds())
			rates = append(rates, float64(turns*size)/ours.Seconds())
		}
	}
	b.ReportMetric(median(ratios), "insert-rates")
	b.ReportMetric(median(rates), "records/s")
}

func timed(b *testing.B, turns int, f func() error) time.Duration {
	b.Helper()
	start := time.Now()
	for range turns {
		require.NoError(b, f())
	}
	return time.Since(start)
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// attempts are records as a run of commands has them.
func attempts(n int) []statelog.Record {
	now := time.Now()
	recs := make([]statelog.Record, n)
	for i := range recs {
		rec := statelog.Record{
			Kind: statelog.Intent, Time: now.Add(time.Duration(i) * time.Microsecond),
			Task: 3, Instance: 100_000 + i/2, Attempt: 1,
		}
		if i%2 == 1 {
			rec.Kind, rec.Start, rec.Delay = statelog.Done, now, -1
			if i%10 == 9 {
				rec.Result = &executor.Result{ExitCode: 1}
			}
		}
		recs[i] = rec
	}
	return recs
}

// byHand is a table of records as somebody would write it who has no log.
type byHand struct {
	dialect sqllog.Dialect
	db      *sql.DB
	stmt    *sql.Stmt
	run     int64
	seq     int64
}

func newByHand(b *testing.B, db *sql.DB, dialect sqllog.Dialect, size int) *byHand {
	b.Helper()
	h := &byHand{dialect: dialect, db: db, run: prefixes.Add(1)}
	_, err := db.ExecContext(b.Context(), `CREATE TABLE IF NOT EXISTS by_hand (
		run bigint, seq bigint, kind integer, task bigint, instance bigint, attempt integer,
		at bigint, PRIMARY KEY (run, seq))`)
	require.NoError(b, err)
	query := `INSERT INTO by_hand SELECT $1, * FROM unnest($2::bigint[], $3::int[], $4::bigint[],
		$5::bigint[], $6::int[], $7::bigint[])`
	if dialect == sqllog.SQLite {
		query = `INSERT INTO by_hand VALUES ` + strings.Repeat(`(?, ?, ?, ?, ?, ?, ?), `, size-1) +
			`(?, ?, ?, ?, ?, ?, ?)`
	}
	h.stmt, err = db.PrepareContext(b.Context(), query)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, h.stmt.Close()) })
	return h
}

func (h *byHand) insert(ctx context.Context, recs []statelog.Record) error {
	if h.dialect == sqllog.SQLite {
		return h.insertValues(ctx, recs)
	}
	n := len(recs)
	seq, task, instance := make([]int64, n), make([]int64, n), make([]int64, n)
	kind, attempt, at := make([]int32, n), make([]int32, n), make([]int64, n)
	for i, rec := range recs {
		h.seq++
		seq[i], kind[i], task[i] = h.seq, int32(rec.Kind), int64(rec.Task)
		instance[i], attempt[i] = int64(rec.Instance), int32(rec.Attempt)
		at[i] = rec.Time.UnixNano()
	}
	_, err := h.stmt.ExecContext(ctx, h.run, seq, kind, task, instance, attempt, at)
	return err
}

func (h *byHand) insertValues(ctx context.Context, recs []statelog.Record) error {
	args := make([]any, 0, 7*len(recs))
	for _, rec := range recs {
		h.seq++
		args = append(args, h.run, h.seq, int64(rec.Kind), int64(rec.Task), int64(rec.Instance),
			int64(rec.Attempt), rec.Time.UnixNano())
	}
	_, err := h.stmt.ExecContext(ctx, args...)
	return err
}
