package statelogtest

import (
	"context"
	"iter"
	"slices"
	"testing"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/memlog"
)

type (
	batch   = []statelog.Record
	records = iter.Seq2[statelog.Record, error]
	infos   = iter.Seq2[statelog.RunInfo, error]
)

// A bent log is a memlog that does some of it in another way.
type bent struct {
	*memlog.Log
	append func(ctx context.Context, run string, after uint64, recs batch) (uint64, error)
	read   func(ctx context.Context, run string, after uint64) records
	runs   func(ctx context.Context, q statelog.Query) infos
}

func (b *bent) Append(
	ctx context.Context, run string, after uint64, recs []statelog.Record,
) (uint64, error) {
	if b.append == nil {
		return b.Log.Append(ctx, run, after, recs)
	}
	return b.append(ctx, run, after, recs)
}

func (b *bent) Read(ctx context.Context, run string, after uint64) records {
	if b.read == nil {
		return b.Log.Read(ctx, run, after)
	}
	return b.read(ctx, run, after)
}

func (b *bent) Runs(ctx context.Context, q statelog.Query) infos {
	if b.runs == nil {
		return b.Log.Runs(ctx, q)
	}
	return b.runs(ctx, q)
}

// bend returns a maker of logs that are right but for what f does to them.
func bend(f func(b *bent)) func(testing.TB) statelog.StateLogger {
	return func(testing.TB) statelog.StateLogger {
		b := &bent{Log: memlog.New()}
		f(b)
		return b
	}
}

// A broken log breaks the rule of the check that it fails.
type brokenLog struct {
	name, fails string
	new         func(testing.TB) statelog.StateLogger
}

// brokenLogs are there for every check.
var brokenLogs = slices.Concat(brokenAppends, brokenReads, brokenLists, brokenStores)

// end returns the number of the last record.
func (b *bent) end(ctx context.Context, run string) uint64 {
	var end uint64
	for rec, err := range b.Log.Read(context.WithoutCancel(ctx), run, 0) {
		if err == nil {
			end = rec.Seq
		}
	}
	return end
}
