package redislog

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/daggy-go/daggy/statelog"
)

// gone is for how long it is remembered that a run was removed, so that an engine
// that still knows it is told [statelog.ErrNoRun].
const gone = 7 * 24 * time.Hour

// Prune removes the closed runs that keep does not keep, with
// their documents, those that closed first before the others. Age is measured by
// this machine's clock.
func (l *Log) Prune(ctx context.Context, keep statelog.Retention) (removed int, err error) {
	removed, err = l.prune(ctx, keep)
	if err == nil {
		err = l.removeDocuments(ctx)
	}
	if err != nil {
		err = fmt.Errorf("redislog: prune: %w", cause(ctx, err))
	}
	return removed, err
}

func (l *Log) prune(ctx context.Context, keep statelog.Retention) (removed int, err error) {
	surplus := 0
	if keep.Count > 0 {
		closed, err := l.client.ZCard(ctx, l.keys.closed).Result()
		if err != nil {
			return 0, err
		}
		surplus = int(closed) - keep.Count
	}
	before := ""
	if keep.Age > 0 {
		before = timeKey(time.Now().Add(-keep.Age))
	}
	by := redis.ZRangeBy{Min: "-", Max: "+", Count: runsPage}
	for looked := 0; ; {
		members, err := l.client.ZRangeByLex(ctx, l.keys.closed, &by).Result()
		if err != nil {
			return removed, err
		}
		for _, member := range members {
			if looked >= surplus && member >= before {
				return removed, nil
			}
			looked++
			done, err := l.remove(ctx, member)
			if err != nil {
				return removed, err
			}
			if done {
				removed++
			}
		}
		if len(members) < runsPage {
			return removed, nil
		}
		by.Min = "(" + members[len(members)-1]
	}
}

// remove removes the run of a member of the index of closed runs, unless it was
// reopened.
func (l *Log) remove(ctx context.Context, member string) (bool, error) {
	run, err := runOf(member)
	if err != nil {
		return false, err
	}
	k := &l.keys
	answer, err := l.do(ctx, call{
		script: pruneScript,
		keys: []string{
			k.run(run), k.log(run), k.gone(run), k.past(run),
			k.runs, k.closed, k.behind, k.removed,
		},
		args: []any{run, member, gone.Milliseconds()},
	})
	if err != nil {
		return false, err
	}
	if text(answer, 0) != "ok" {
		return false, nil
	}
	l.memory.forget(run)
	return true, nil
}
