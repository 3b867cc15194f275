package statelogtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/memlog"
)

var brokenAppends = []brokenLog{
	{"forgets delays", "L1 every field comes back", bend(func(b *bent) {
		b.append = func(ctx context.Context, run string, after uint64, recs batch) (uint64, error) {
			recs = slices.Clone(recs)
			for i := range recs {
				recs[i].Delay = 0
			}
			return b.Log.Append(ctx, run, after, recs)
		}
	})},
	{"numbers from 0", "L1 numbers have no gap", bend(func(b *bent) {
		b.read = func(ctx context.Context, run string, after uint64) records {
			return func(yield func(statelog.Record, error) bool) {
				for rec, err := range b.Log.Read(ctx, run, after) {
					rec.Seq--
					if !yield(rec, err) {
						return
					}
				}
			}
		}
	})},
	{"keeps slices", "L1 slices are not kept", func(testing.TB) statelog.StateLogger {
		return &keeper{}
	}},
	{"loses the last of many", "L1 many records", bend(func(b *bent) {
		b.read = func(ctx context.Context, run string, after uint64) records {
			return firstOf(b.Log.Read(ctx, run, after), 900)
		}
	})},
	{"has one run", "L2 runs do not mix", bend(func(b *bent) {
		b.append = func(ctx context.Context, _ string, after uint64, recs batch) (uint64, error) {
			for {
				info, err := first(b.Log.Runs(ctx, statelog.Query{}))
				if err == nil {
					_, err = b.Log.Append(ctx, "the run", info.Seq, recs)
				}
				if !errors.Is(err, statelog.ErrFenced) {
					return after + uint64(len(recs)), err
				}
			}
		}
		b.read = func(ctx context.Context, _ string, after uint64) records {
			return b.Log.Read(ctx, "the run", after)
		}
	})},
	{"shows half a batch", "L2 reading while appending", bend(func(b *bent) {
		b.read = func(ctx context.Context, run string, after uint64) records {
			return firstOf(b.Log.Read(ctx, run, after), int(b.end(ctx, run)-after)-1)
		}
	})},
	{"opens again", "L3 an open run is not opened again", bend(func(b *bent) {
		b.append = func(ctx context.Context, run string, after uint64, recs batch) (uint64, error) {
			if after == 0 {
				b.Remove(run)
			}
			return b.Log.Append(ctx, run, after, recs)
		}
	})},
	{"does not compare", "L3 a stale number is fenced", bend(func(b *bent) {
		b.append = func(ctx context.Context, run string, after uint64, recs batch) (uint64, error) {
			return b.Log.Append(ctx, run, max(after, b.end(ctx, run)), recs)
		}
	})},
	{"adds half of what it refuses", "L3 a stale number is fenced", bend(func(b *bent) {
		b.append = func(ctx context.Context, run string, after uint64, recs batch) (uint64, error) {
			end, err := b.Log.Append(ctx, run, after, recs)
			if errors.Is(err, statelog.ErrFenced) {
				_, _ = b.Log.Append(ctx, run, b.end(ctx, run), recs[:len(recs)/2])
			}
			return end, err
		}
	})},
	{"is too trusting", "L3 a number beyond the end is fenced", bend(func(b *bent) {
		b.append = func(ctx context.Context, run string, after uint64, recs batch) (uint64, error) {
			if end := b.end(ctx, run); end > 0 {
				after = min(after, end)
			}
			return b.Log.Append(ctx, run, after, recs)
		}
	})},
	{"opens what is gone", "L3 no such run to append to", bend(func(b *bent) {
		b.append = func(ctx context.Context, run string, after uint64, recs batch) (uint64, error) {
			if b.end(ctx, run) == 0 {
				after = 0
			}
			return b.Log.Append(ctx, run, after, recs)
		}
	})},
	{"lets two in", "L3 one of two engines wins", bend(func(b *bent) {
		b.append = func(ctx context.Context, run string, after uint64, recs batch) (uint64, error) {
			end, err := b.Log.Append(ctx, run, after, recs)
			if errors.Is(err, statelog.ErrFenced) && len(recs) == 1 {
				_, _ = b.Log.Append(ctx, run, after+1, recs)
				return after + 1, nil
			}
			return end, err
		}
	})},
	{"stops half way", "L3 all or nothing when ctx has ended", bend(func(b *bent) {
		b.append = func(ctx context.Context, run string, after uint64, recs batch) (uint64, error) {
			if ctx.Err() == nil {
				return b.Log.Append(ctx, run, after, recs)
			}
			_, _ = b.Log.Append(context.WithoutCancel(ctx), run, after, recs[:1])
			return 0, ctx.Err()
		}
	})},
	{"opens for nothing", "L3 no records only compare", bend(func(b *bent) {
		b.append = func(ctx context.Context, run string, after uint64, recs batch) (uint64, error) {
			if len(recs) == 0 {
				return after, nil
			}
			return b.Log.Append(ctx, run, after, recs)
		}
	})},
	{"takes a batch twice", "L3 an ambiguous append is resolved by reading", bend(
		func(b *bent) {
			var last atomic.Value // the engine of the batch before
			b.append = func(
				ctx context.Context, run string, after uint64, recs batch,
			) (uint64, error) {
				end, err := b.Log.Append(ctx, run, after, recs)
				// It means to do a favour to who tries again.
				if len(recs) == 0 || recs[0].Engine == "" {
					return end, err
				}
				if errors.Is(err, statelog.ErrFenced) && last.Load() == recs[0].Engine {
					return b.Log.Append(ctx, run, b.end(ctx, run), recs)
				}
				last.Store(recs[0].Engine)
				return end, err
			}
		})},
	{"locks for everybody", "L6 one engine at a time", func(testing.TB) statelog.StateLogger {
		return &locking{Log: memlog.New(), shared: true}
	}},
}

func first(found infos) (statelog.RunInfo, error) {
	for info, err := range found {
		return info, err
	}
	return statelog.RunInfo{}, nil
}

// A keeper keeps the slices that it is given.
type keeper struct {
	memlog.Log
	mu      sync.Mutex
	batches map[string][][]statelog.Record
}

func (k *keeper) Append(
	ctx context.Context, run string, after uint64, recs batch,
) (uint64, error) {
	end, err := k.Log.Append(ctx, run, after, recs)
	if err == nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.batches == nil {
			k.batches = map[string][][]statelog.Record{}
		}
		k.batches[run] = append(k.batches[run], recs)
	}
	return end, err
}

func (k *keeper) Read(ctx context.Context, run string, after uint64) records {
	k.mu.Lock()
	recs := slices.Concat(k.batches[run]...)
	k.mu.Unlock()
	if len(recs) == 0 {
		return k.Log.Read(ctx, run, after)
	}
	return func(yield func(statelog.Record, error) bool) {
		for i := after; i < uint64(len(recs)); i++ {
			rec := recs[i]
			rec.Seq = i + 1
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// locking is a log that is a Locker, unless its locks are shared.
type locking struct {
	*memlog.Log
	shared bool

	mu     sync.Mutex
	locked map[string]*string // run → who has it
}

func (l *locking) Lock(_ context.Context, run, engine string) (func() error, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.locked[run] != nil && !l.shared {
		return nil, fmt.Errorf("%s has run %s: %w", *l.locked[run], run, statelog.ErrActive)
	}
	if l.locked == nil {
		l.locked = map[string]*string{}
	}
	l.locked[run] = &engine
	return func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.locked[run] == &engine {
			delete(l.locked, run)
		}
		return nil
	}, nil
}
