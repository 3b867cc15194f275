package statelogtest

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/memlog"
)

var brokenStores = []brokenLog{
	{"loses the last batch", "L2 records outlive the process", func(
		testing.TB,
	) statelog.StateLogger {
		return &stored{Log: memlog.New(), loses: 1}
	}},
	{"is empty when it is opened", "L3 numbers outlive the process", func(
		testing.TB,
	) statelog.StateLogger {
		return &stored{Log: memlog.New(), loses: 1 << 30}
	}},
	{"tells nobody", "L6 a lock that is lost is told", func(testing.TB) statelog.StateLogger {
		l := newLeasing()
		l.silent = true
		return l
	}},
	{"tells of every end", "L6 a lock that is given back is not lost", func(
		testing.TB,
	) statelog.StateLogger {
		l := newLeasing()
		l.anxious = true
		return l
	}},
	{"removes by name", "L9 what closed first is removed first", func(
		testing.TB,
	) statelog.StateLogger {
		return &pruning{Log: memlog.New(), byName: true}
	}},
	{"forgets about age", "L9 what closed long ago is removed", func(
		testing.TB,
	) statelog.StateLogger {
		return &pruning{Log: memlog.New(), ageless: true}
	}},
	{"removes what runs", "L9 runs that are not closed stay", func(
		testing.TB,
	) statelog.StateLogger {
		return &pruning{Log: memlog.New(), live: true}
	}},
	{"keeps what it removed", "L9 a removed run can be opened anew", func(
		testing.TB,
	) statelog.StateLogger {
		return &pruning{Log: memlog.New(), pretends: true}
	}},
}

// stored is a log of which a copy can be opened, without so many of the batches
// that came last.
type stored struct {
	*memlog.Log
	loses int

	mu      sync.Mutex
	batches []storedBatch
}

type storedBatch struct {
	run   string
	after uint64
	recs  []statelog.Record
}

func (s *stored) Append(
	ctx context.Context, run string, after uint64, recs []statelog.Record,
) (uint64, error) {
	end, err := s.Log.Append(ctx, run, after, recs)
	if err == nil && len(recs) > 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.batches = append(s.batches, storedBatch{run, after, slices.Clone(recs)})
	}
	return end, err
}

// reopenStored opens a stored log again; others stay as they are.
func reopenStored(tb testing.TB, log statelog.StateLogger) statelog.StateLogger {
	tb.Helper()
	s, ok := log.(*stored)
	if !ok {
		return log
	}
	again := &stored{Log: memlog.New(), loses: s.loses}
	for _, b := range s.batches[:max(0, len(s.batches)-s.loses)] {
		if _, err := again.Append(tb.Context(), b.run, b.after, b.recs); err != nil {
			tb.Error(err)
		}
	}
	return again
}

// leasing is a log whose locks are lost when loseLock says so.
type leasing struct {
	locking
	silent, anxious bool

	told map[string][]func()
}

func newLeasing() *leasing {
	return &leasing{locking: locking{Log: memlog.New()}, told: map[string][]func(){}}
}

func (l *leasing) Lock(ctx context.Context, run, engine string) (func() error, error) {
	release, err := l.locking.Lock(ctx, run, engine)
	return func() error {
		if l.anxious {
			l.lose(run + engine)
		}
		l.mu.Lock()
		delete(l.told, run+engine)
		l.mu.Unlock()
		return release()
	}, err
}

func (l *leasing) OnLost(run, engine string, f func()) (stop func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := len(l.told[run+engine])
	l.told[run+engine] = append(l.told[run+engine], f)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.told[run+engine][at] = func() {}
	}
}

func (l *leasing) lose(key string) {
	l.mu.Lock()
	told := l.told[key]
	delete(l.told, key)
	l.mu.Unlock()
	for _, f := range told {
		f()
	}
}

// loseLock has a lock of a leasing log be lost.
func loseLock(tb testing.TB, log statelog.StateLogger, run, engine string) {
	tb.Helper()
	if l, ok := log.(*leasing); ok && !l.silent {
		l.lose(run + engine)
	}
}

// pruning is a log that is a Pruner, right or not.
type pruning struct {
	*memlog.Log
	byName, ageless, live, pretends bool
}

func (p *pruning) Prune(ctx context.Context, keep statelog.Retention) (removed int, err error) {
	var closed []statelog.RunInfo
	for info, err := range p.Runs(ctx, statelog.Query{}) {
		if err != nil {
			return 0, err
		}
		if !info.Closed.IsZero() || p.live {
			closed = append(closed, info)
		}
	}
	slices.SortFunc(closed, func(a, b statelog.RunInfo) int {
		if p.byName {
			return cmp.Compare(a.Run, b.Run)
		}
		return b.Closed.Compare(a.Closed)
	})
	for i, info := range closed {
		old := keep.Age > 0 && time.Since(info.Closed) > keep.Age && !p.ageless
		if old || keep.Count > 0 && i >= keep.Count {
			removed++
			if !p.pretends {
				p.Remove(info.Run)
			}
		}
	}
	return removed, nil
}
