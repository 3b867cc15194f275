package statelogtest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/memlog"
)

var brokenReads = []brokenLog{
	{"reads from the start", "L7 reading starts after the number", bend(func(b *bent) {
		b.read = func(ctx context.Context, run string, _ uint64) records {
			return b.Log.Read(ctx, run, 0)
		}
	})},
	{"reads on", "L7 the end is that of the call", bend(func(b *bent) {
		b.read = func(ctx context.Context, run string, after uint64) records {
			return func(yield func(statelog.Record, error) bool) {
				for rec, err := range b.Log.Read(ctx, run, after) {
					if !yield(rec, err) {
						return
					}
				}
			}
		}
	})},
	{"locks while reading", "L7 no lock is held while reading", locked(unlockAtOnce)},
	{"unlocks at the end only", "L7 a loop may end early", locked(unlockLate)},
	{"has every run", "L7 no such run to read", bend(func(b *bent) {
		b.read = func(ctx context.Context, run string, after uint64) records {
			return func(yield func(statelog.Record, error) bool) {
				for rec, err := range b.Log.Read(ctx, run, after) {
					if errors.Is(err, statelog.ErrNoRun) || !yield(rec, err) {
						return
					}
				}
			}
		}
	})},
	{"leaves out what ctx ended", "L7 an error is the last thing", bend(func(b *bent) {
		b.read = func(ctx context.Context, run string, after uint64) records {
			read := b.Log.Read(ctx, run, after)
			return func(yield func(statelog.Record, error) bool) {
				for rec, err := range read {
					if errors.Is(err, context.Canceled) || !yield(rec, err) {
						return
					}
				}
			}
		}
	})},
}

func firstOf(recs records, n int) records {
	return func(yield func(statelog.Record, error) bool) {
		for rec, err := range recs {
			if n--; n < 0 || !yield(rec, err) {
				return
			}
		}
	}
}

// locked makes logs that are locked while they yield. early unlocks them when a
// loop ends early.
func locked(early func(testing.TB, *sync.Mutex)) func(testing.TB) statelog.StateLogger {
	return func(tb testing.TB) statelog.StateLogger {
		tb.Helper()
		var mu sync.Mutex
		b := &bent{Log: memlog.New()}
		b.append = func(ctx context.Context, run string, after uint64, recs batch) (uint64, error) {
			mu.Lock()
			defer mu.Unlock()
			return b.Log.Append(ctx, run, after, recs)
		}
		b.read = func(ctx context.Context, run string, after uint64) records {
			read := b.Log.Read(ctx, run, after)
			return func(yield func(statelog.Record, error) bool) {
				mu.Lock()
				for rec, err := range read {
					if !yield(rec, err) {
						early(tb, &mu)
						return
					}
				}
				mu.Unlock()
			}
		}
		b.runs = func(ctx context.Context, q statelog.Query) infos {
			found := b.Log.Runs(ctx, q)
			return func(yield func(statelog.RunInfo, error) bool) {
				mu.Lock()
				defer mu.Unlock()
				found(yield)
			}
		}
		return b
	}
}

func unlockAtOnce(_ testing.TB, mu *sync.Mutex) { mu.Unlock() }

// unlockLate waits for the end of the test, so that the test can end.
func unlockLate(tb testing.TB, mu *sync.Mutex) {
	tb.Helper()
	tb.Cleanup(mu.Unlock)
}
