package sqllog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/daggy-go/daggy/statelog"
)

// pruneAtOnce is how many runs are looked for at a time.
const pruneAtOnce = 256

// Prune removes the closed runs that keep does not keep, the one that closed
// first first, each in a transaction of its own. After an error those that were
// removed stay so.
func (l *Log) Prune(ctx context.Context, keep statelog.Retention) (removed int, err error) {
	if keep.Age <= 0 && keep.Count <= 0 {
		return 0, nil
	}
	now := time.Now()
	for {
		doomed, err := l.doomed(ctx, keep, now)
		if err != nil {
			return removed, fmt.Errorf("sqllog: prune: %w", err)
		}
		if len(doomed) == 0 {
			return removed, nil
		}
		for _, d := range doomed {
			ok, err := l.remove(ctx, d)
			if err != nil {
				return removed, fmt.Errorf("sqllog: prune run %q: %w", d.run, err)
			}
			if ok {
				removed++
			}
		}
	}
}

// A closedRun is one that is to be removed, unless it has gone on.
type closedRun struct {
	id, seq int64
	run     string
}

func (l *Log) doomed(
	ctx context.Context, keep statelog.Retention, now time.Time,
) ([]closedRun, error) {
	query, args := l.pruneQuery(keep, now)
	rows, err := l.store.query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	var doomed []closedRun
	for rows.Next() {
		var d closedRun
		if err := rows.Scan(&d.id, &d.seq, &d.run); err != nil {
			return nil, errors.Join(err, rows.close())
		}
		doomed = append(doomed, d)
	}
	return doomed, errors.Join(rows.Err(), rows.close())
}

func (l *Log) pruneQuery(keep statelog.Retention, now time.Time) (query string, args []any) {
	var c clause
	var conditions []string
	if keep.Age > 0 {
		m := momentOf(now.Add(-keep.Age))
		conditions = append(conditions,
			`(closed, closed_nanos) < (`+c.arg(m.seconds)+`, `+c.arg(m.nanos)+`)`)
	}
	if keep.Count > 0 {
		conditions = append(conditions, `(closed, closed_nanos, id) < (
			SELECT closed, closed_nanos, id FROM {p}runs WHERE closed IS NOT NULL
			ORDER BY closed DESC, closed_nanos DESC, id DESC
			LIMIT 1 OFFSET `+c.arg(keep.Count-1)+`)`)
	}
	c.add(`SELECT id, seq, run FROM {p}runs WHERE closed IS NOT NULL AND (`,
		strings.Join(conditions, ` OR `),
		`) ORDER BY closed, closed_nanos, id LIMIT `, c.arg(pruneAtOnce))
	return l.config.adapt(c.text.String()), c.args
}

// remove reports false if the run has gone on since it was looked for.
func (l *Log) remove(ctx context.Context, d closedRun) (removed bool, err error) {
	err = l.store.transact(ctx, func(ctx context.Context, tx session) error {
		n, err := execOn(ctx, tx, l.sql.pruneRun, d.id, d.seq)
		if removed = n > 0; err != nil || !removed {
			return err
		}
		for _, query := range []string{l.sql.pruneBatches, l.sql.pruneTags} {
			if _, err := tx.ExecContext(ctx, query, d.id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	if removed {
		l.memory.forget(d.run)
	}
	return removed, nil
}
