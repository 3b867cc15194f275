package memlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/daggy-go/daggy/statelog"
)

// A Log keeps the records of any number of runs in memory. The zero Log is
// empty and ready to use. It is safe for concurrent use, and must not be copied
// after its first use.
type Log struct {
	// KeepClosed is how many closed runs are kept: when one more closes, the one
	// that closed first is removed, and asking for it is ErrNoRun. 0: all of
	// them. Set it before the first use. A program that runs DAGs for as long as
	// it lives sets it, or calls [Log.Remove].
	KeepClosed int

	// newest is one of runs, or nil.
	newest atomic.Pointer[run]

	// mu guards the fields below.
	mu   sync.RWMutex
	runs map[string]*run
	// created counts the runs there ever were.
	created uint64
	// closed has the closed runs in the order of their closing, if KeepClosed
	// bounds them.
	closed []*run
}

var (
	_ statelog.StateLogger = (*Log)(nil)
	_ statelog.Immediate   = (*Log)(nil)
)

// New returns an empty log that keeps all runs.
func New() *Log { return &Log{} }

// Immediate reports true: Append takes no longer than storing the records.
func (l *Log) Immediate() bool { return true }

// Append adds recs to the run. It never waits for anything but another Append
// or the start of a Read of the same run.
//
// Nothing is added if ctx has already ended.
func (l *Log) Append(
	ctx context.Context, id string, after uint64, recs []statelog.Record,
) (uint64, error) {
	if ctx.Err() != nil {
		return 0, fmt.Errorf("memlog: append to run %q: %w", id, context.Cause(ctx))
	}
	end, err := l.append(id, after, recs)
	if err != nil {
		return 0, fmt.Errorf("memlog: append to run %q after %d: %w", id, after, err)
	}
	return end, nil
}

func (l *Log) append(id string, after uint64, recs []statelog.Record) (uint64, error) {
	r := l.find(id)
	switch {
	case r == nil && after > 0:
		return 0, statelog.ErrNoRun
	case r == nil && len(recs) == 0:
		return 0, nil
	case r == nil:
		r = l.open(id)
	}
	end, turned, err := r.append(after, recs)
	for after == 0 && errors.Is(err, statelog.ErrNoRun) {
		// It was removed since it was found.
		r = l.open(id)
		end, turned, err = r.append(after, recs)
	}
	if turned && l.KeepClosed > 0 {
		l.retain(r)
	}
	return end, err
}

// find returns nil if there is no such run.
func (l *Log) find(id string) *run {
	// Most logs have one run that is active.
	if r := l.newest.Load(); r != nil && r.id == id {
		return r
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.runs[id]
}

// open makes the run unless somebody else just did.
func (l *Log) open(id string) *run {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.runs[id]; r != nil {
		return r
	}
	if l.runs == nil {
		l.runs = make(map[string]*run)
	}
	l.created++
	r := &run{id: id, order: l.created}
	l.runs[id] = r
	l.newest.Store(r)
	return r
}

// drop forgets a run. The caller holds mu.
func (l *Log) drop(r *run) {
	delete(l.runs, r.id)
	l.newest.CompareAndSwap(r, nil)
}

// Read yields the run's records after the given number. What it yields shares
// memory with the log and is not to be altered.
func (l *Log) Read(
	ctx context.Context, id string, after uint64,
) iter.Seq2[statelog.Record, error] {
	var seen records
	if r := l.find(id); r != nil {
		seen = r.snapshot()
	}
	if seen.len() == 0 {
		return func(yield func(statelog.Record, error) bool) {
			yield(statelog.Record{}, fmt.Errorf("memlog: read run %q: %w", id, statelog.ErrNoRun))
		}
	}
	return func(yield func(statelog.Record, error) bool) {
		for seq := after; seq < seen.len(); seq++ {
			if ctx.Err() != nil {
				err := fmt.Errorf("memlog: read run %q: %w", id, context.Cause(ctx))
				yield(statelog.Record{}, err)
				return
			}
			if !yield(seen.at(seq), nil) {
				return
			}
		}
	}
}

// Runs yields the runs that match q as they were at the call, the newest first.
func (l *Log) Runs(ctx context.Context, q statelog.Query) iter.Seq2[statelog.RunInfo, error] {
	l.mu.RLock()
	runs := slices.Collect(maps.Values(l.runs))
	l.mu.RUnlock()
	slices.SortFunc(runs, func(a, b *run) int { return cmp.Compare(b.order, a.order) })
	var found []statelog.RunInfo
	for _, r := range runs {
		if info, ok := r.describe(); ok && q.Match(info) {
			found = append(found, info)
		}
	}
	// Engines may disagree about the time: what they say comes first.
	slices.SortStableFunc(found, func(a, b statelog.RunInfo) int {
		return b.Opened.Compare(a.Opened)
	})
	if q.Limit > 0 && len(found) > q.Limit {
		found = found[:q.Limit]
	}
	return func(yield func(statelog.RunInfo, error) bool) {
		for _, info := range found {
			if ctx.Err() != nil {
				yield(statelog.RunInfo{}, fmt.Errorf("memlog: list runs: %w", context.Cause(ctx)))
				return
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}

// Remove forgets a run and reports whether there was one. Reads that have begun
// still yield what they saw; an engine that is at work on the run gets ErrNoRun
// from its next Append.
func (l *Log) Remove(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.runs[id]
	if r == nil {
		return false
	}
	l.unlist(r)
	l.drop(r)
	return r.remove(false)
}

// retain notes that r was closed or reopened, and removes the run that closed
// first if there are too many.
func (l *Log) retain(r *run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unlist(r)
	if info, ok := r.describe(); !ok || info.Closed.IsZero() {
		return
	}
	l.closed = append(l.closed, r)
	if len(l.closed) <= l.KeepClosed {
		return
	}
	oldest := l.closed[0]
	l.closed = slices.Delete(l.closed, 0, 1)
	// It stays if it was reopened just now.
	if oldest.remove(true) {
		l.drop(oldest)
	}
}

func (l *Log) unlist(r *run) {
	if i := slices.Index(l.closed, r); i >= 0 {
		l.closed = slices.Delete(l.closed, i, i+1)
	}
}
