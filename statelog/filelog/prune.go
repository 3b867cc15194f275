package filelog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/daggy-go/daggy/statelog"
)

// A deadRun is a run that was removed and of which there may be records still, in
// segments. at is the segment that says so: it stays until they are gone for
// good, or another says so.
type deadRun struct {
	at       *segment
	segments map[*segment]bool
}

func newDeadRun(r *run, at *segment) *deadRun {
	d := &deadRun{at: at, segments: map[*segment]bool{}}
	for _, e := range r.extents {
		d.segments[e.seg] = true
	}
	return d
}

// Prune removes the closed runs that keep does not keep, in one commit, and then
// gives back the space of segments that are half empty or more: what is left in
// them is written anew, at the end. Runs that an engine has locked stay.
func (l *Log) Prune(ctx context.Context, keep statelog.Retention) (removed int, err error) {
	l.pruning.Lock()
	defer l.pruning.Unlock()
	defer l.sweep()
	chosen, err := l.expired(keep, time.Now())
	if err != nil {
		return 0, err
	}
	for _, b := range l.commitAll(chosen) {
		switch {
		case b == nil:
			removed++
		case !errors.Is(b, statelog.ErrFenced) && err == nil:
			err = fmt.Errorf("filelog: remove runs: %w", b)
		}
	}
	if err == nil {
		err = l.compact(ctx)
	}
	return removed, err
}

// expired returns what removes the runs that keep does not keep.
func (l *Log) expired(keep statelog.Retention, now time.Time) ([]*batch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	var closed []*run
	for _, r := range l.runs {
		if !r.info.Closed.IsZero() {
			closed = append(closed, r)
		}
	}
	slices.SortFunc(closed, func(a, b *run) int {
		return cmp.Or(b.info.Closed.Compare(a.info.Closed), cmp.Compare(a.info.Run, b.info.Run))
	})
	var chosen []*batch
	for i, r := range closed {
		old := keep.Age > 0 && now.Sub(r.info.Closed) > keep.Age
		many := keep.Count > 0 && i >= keep.Count
		if !old && !many {
			continue
		}
		chosen = append(chosen, &batch{
			kind: entryRemoved, run: r, after: r.info.Seq, entry: entry{run: r.number},
			wake: make(chan signal, 1),
		})
	}
	return chosen, nil
}

// commitAll commits batches together and returns what has come of each.
func (l *Log) commitAll(all []*batch) []error {
	if len(all) == 0 {
		return nil
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return []error{ErrClosed}
	}
	l.queue = append(l.queue, all...)
	follows := l.committing
	l.committing = true
	l.mu.Unlock()
	errs := make([]error, len(all))
	for i, b := range all {
		if i == 0 && !follows || <-b.wake == lead {
			l.lead()
		}
		errs[i] = b.err
	}
	return errs
}

// admitUpkeep returns why a batch that pruning made is refused.
func (l *Log) admitUpkeep(b *batch) error {
	if b.kind != entryRemoved || b.run == nil {
		return nil
	}
	r := b.run
	if r.info.Seq != b.after || r.promised != b.after || l.locks[r.info.Run] != nil {
		return statelog.ErrFenced
	}
	r.promised = removedNext
	return nil
}

// forget drops a run whose removal is durable.
func (l *Log) forget(r *run, at *segment) {
	r.removed = true
	delete(l.runs, r.info.Run)
	l.dead[r.number] = newDeadRun(r, at)
	l.discardRun(r)
}
