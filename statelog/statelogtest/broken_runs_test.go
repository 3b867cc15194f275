package statelogtest

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/daggy-go/daggy/statelog"
)

var brokenLists = []brokenLog{
	{"forgets tags", "L8 runs are described", bend(func(b *bent) {
		b.runs = func(ctx context.Context, q statelog.Query) infos {
			found := listed(b.Log.Runs(ctx, q))
			for i := range found {
				found[i].Tags = nil
			}
			return each(found)
		}
	})},
	{"lists by name", "L8 the newest run is first", bend(func(b *bent) {
		b.runs = func(ctx context.Context, q statelog.Query) infos {
			found := listed(b.Log.Runs(ctx, q))
			slices.SortFunc(found, func(a, b statelog.RunInfo) int {
				return strings.Compare(a.Run, b.Run)
			})
			return each(found)
		}
	})},
	{"asks for no tags", "L8 runs by tags", bendQueries(func(q *statelog.Query) { q.Tags = nil })},
	{"asks for no states", "L8 runs by state", bendQueries(func(q *statelog.Query) {
		q.States = nil
	})},
	{"asks for no end", "L8 runs by time", bendQueries(func(q *statelog.Query) {
		if !q.Until.IsZero() {
			q.Until = q.Until.Add(1)
		}
	})},
	{"asks for no limit", "L8 no more runs than the limit", bendQueries(func(q *statelog.Query) {
		q.Limit = 0
	})},
	{"locks while listing", "L8 no lock is held while listing", locked(unlockAtOnce)},
}

func bendQueries(f func(q *statelog.Query)) func(testing.TB) statelog.StateLogger {
	return bend(func(b *bent) {
		b.runs = func(ctx context.Context, q statelog.Query) infos {
			f(&q)
			return b.Log.Runs(ctx, q)
		}
	})
}

// listed returns what is yielded before an error.
func listed(runs infos) []statelog.RunInfo {
	var found []statelog.RunInfo
	for info, err := range runs {
		if err == nil {
			found = append(found, info)
		}
	}
	return found
}

func each(found []statelog.RunInfo) infos {
	return func(yield func(statelog.RunInfo, error) bool) {
		for _, info := range found {
			if !yield(info, nil) {
				return
			}
		}
	}
}
