package sqllog

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/daggy-go/daggy/statelog"
)

// Runs yields what matches q, from one query at the call. It reads no records:
// the table of the runs has all that it says.
func (l *Log) Runs(ctx context.Context, q statelog.Query) iter.Seq2[statelog.RunInfo, error] {
	infos, err := l.list(ctx, q)
	return func(yield func(statelog.RunInfo, error) bool) {
		for _, info := range infos {
			if !yield(info, nil) {
				return
			}
		}
		if err != nil {
			yield(statelog.RunInfo{}, fmt.Errorf("sqllog: list runs: %w", err))
		}
	}
}

func (l *Log) list(ctx context.Context, q statelog.Query) ([]statelog.RunInfo, error) {
	query, args := l.runsQuery(q)
	rows, err := l.store.query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	var infos []statelog.RunInfo
	for rows.Next() {
		info, err := scanInfo(rows)
		if err != nil {
			return nil, errors.Join(err, rows.close())
		}
		infos = append(infos, info)
	}
	return infos, errors.Join(rows.Err(), rows.close())
}

func scanInfo(rows *rows) (statelog.RunInfo, error) {
	var info statelog.RunInfo
	var tags []byte
	var opened moment
	var closed sql.Null[int64]
	var closedNanos sql.Null[int32]
	err := rows.Scan(&info.Run, &info.Seq, &info.State, &tags, &opened.seconds, &opened.nanos,
		&closed, &closedNanos)
	if err != nil {
		return info, err
	}
	info.Opened = opened.time()
	if closed.Valid {
		info.Closed = moment{closed.V, closedNanos.V}.time()
	}
	if err := json.Unmarshal(tags, &info.Tags); err != nil {
		return info, fmt.Errorf("tags of run %q: %w", info.Run, err)
	}
	return info, nil
}

// A clause is a part of a query with arguments.
type clause struct {
	text strings.Builder
	args []any
}

// arg adds an argument and returns its name.
func (c *clause) arg(value any) string {
	c.args = append(c.args, value)
	return "$" + strconv.Itoa(len(c.args))
}

func (c *clause) add(texts ...string) {
	for _, text := range texts {
		c.text.WriteString(text)
	}
}

func (l *Log) runsQuery(q statelog.Query) (query string, args []any) {
	var c clause
	c.add(`SELECT r.run, r.seq, r.state, r.tags, r.opened, r.opened_nanos, r.closed, r.closed_nanos
		FROM {p}runs AS r WHERE r.seq > 0`)
	for _, name := range slices.Sorted(maps.Keys(q.Tags)) {
		n, v := c.arg(name), c.arg(q.Tags[name])
		c.add(` AND r.id IN (SELECT run_id FROM {p}tags
			WHERE (`, tagIndex("name", "value"), `) = (`, tagIndex(n, v), `)
			AND name = `, n, ` AND value = `, v, `)`)
	}
	if len(q.States) > 0 {
		var names []string
		for _, state := range q.States {
			names = append(names, c.arg(state))
		}
		c.add(` AND r.state IN (`, strings.Join(names, ", "), `)`)
	}
	if !q.Since.IsZero() {
		m := momentOf(q.Since)
		c.add(` AND (r.opened, r.opened_nanos) >= (`, c.arg(m.seconds), `, `, c.arg(m.nanos), `)`)
	}
	if !q.Until.IsZero() {
		m := momentOf(q.Until)
		c.add(` AND (r.opened, r.opened_nanos) < (`, c.arg(m.seconds), `, `, c.arg(m.nanos), `)`)
	}
	c.add(` ORDER BY r.opened DESC, r.opened_nanos DESC, r.id DESC`)
	if q.Limit > 0 {
		c.add(` LIMIT `, c.arg(q.Limit))
	}
	return l.config.adapt(c.text.String()), c.args
}
