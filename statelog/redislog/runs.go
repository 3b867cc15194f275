package redislog

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/daggy-go/daggy/statelog"
)

// orderSize is the length of what keeps runs of the same instant in the order of
// their opening. It follows the time in the indexes; the run's ID follows it.
const orderSize = 14

// runsPage is how many runs are asked for at a time.
const runsPage = 256

// Runs yields the runs that match q, each as it was at one moment of the call.
// It finds them by time, and those that are not closed without looking at the
// others; the rest of q it compares itself, with what is kept of a run beside
// its records.
func (l *Log) Runs(ctx context.Context, q statelog.Query) iter.Seq2[statelog.RunInfo, error] {
	found, err := l.list(ctx, q)
	return func(yield func(statelog.RunInfo, error) bool) {
		for _, info := range found {
			if !yield(info, nil) {
				return
			}
		}
		if err != nil {
			yield(statelog.RunInfo{}, fmt.Errorf("redislog: list runs: %w", cause(ctx, err)))
		}
	}
}

func (l *Log) list(ctx context.Context, q statelog.Query) (found []statelog.RunInfo, err error) {
	index := l.keys.runs
	if len(q.States) == 1 && q.States[0] == statelog.Running {
		index = l.keys.open
	}
	by := redis.ZRangeBy{Min: "-", Max: "+", Count: runsPage}
	if !q.Since.IsZero() {
		by.Min = "[" + timeKey(q.Since)
	}
	if !q.Until.IsZero() {
		by.Max = "(" + timeKey(q.Until)
	}
	for {
		members, err := l.client.ZRevRangeByLex(ctx, index, &by).Result()
		if err != nil {
			return found, err
		}
		infos, err := l.describe(ctx, members)
		if err != nil {
			return found, err
		}
		for _, info := range infos {
			if !q.Match(info) {
				continue
			}
			if found = append(found, info); len(found) == q.Limit {
				return found, nil
			}
		}
		if len(members) < runsPage {
			return found, nil
		}
		by.Max = "(" + members[len(members)-1]
	}
}

// describe returns what is said of the runs, without those that are gone.
func (l *Log) describe(ctx context.Context, members []string) ([]statelog.RunInfo, error) {
	if len(members) == 0 {
		return nil, nil
	}
	var runs []string
	var answers []*redis.SliceCmd
	pipe := l.client.Pipeline()
	for _, member := range members {
		run, err := runOf(member)
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
		answers = append(answers, pipe.HMGet(ctx, l.keys.run(run), infoFields...))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	infos := make([]statelog.RunInfo, 0, len(runs))
	for i, run := range runs {
		fields := answers[i].Val()
		if fields[0] == nil {
			continue
		}
		info, err := infoOf(run, fields)
		if err != nil {
			return nil, damage(l.keys.run(run), 0, err)
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// infoFields are what infoOf takes.
var infoFields = []string{"seq", "state", "opened", "closed", "tags"}

func infoOf(run string, fields []any) (info statelog.RunInfo, err error) {
	info = statelog.RunInfo{Run: run, State: text(fields, 1)}
	if info.Seq, err = strconv.ParseUint(text(fields, 0), 10, 64); err != nil {
		return info, err
	}
	if info.Opened, err = parseTimeKey(text(fields, 2)); err != nil {
		return info, err
	}
	if closed := text(fields, 3); closed != "" {
		if info.Closed, err = parseTimeKey(closed); err != nil {
			return info, err
		}
	}
	if tags := text(fields, 4); tags != "" {
		err = json.Unmarshal([]byte(tags), &info.Tags)
	}
	return info, err
}

// runOf returns the run of a member of an index.
func runOf(member string) (string, error) {
	if len(member) < timeKeySize+orderSize {
		return "", fmt.Errorf("%q is in an index and names no run", member)
	}
	return member[timeKeySize+orderSize:], nil
}
