package sim_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/daggy-go/daggy/statelog"
)

// logger is the log as one engine sees it.
type logger struct{ *engine }

var _ statelog.StateLogger = logger{}

// errStore is a failure of the store after which nothing was added.
var errStore = errors.New("sim: the store is not there")

// A pendingAppend waits for the driver.
type pendingAppend struct {
	engine *engine
	after  uint64
	recs   []statelog.Record
	reply  chan appended
	// applied, with its reply, if only the acknowledgement is still to come.
	applied *appended
}

type appended struct {
	seq uint64
	err error
}

// runID is of the only run.
const runID = "run"

// Append waits until the driver decides what becomes of it.
func (l logger) Append(
	ctx context.Context, _ string, after uint64, recs []statelog.Record,
) (uint64, error) {
	w := l.world
	p := &pendingAppend{engine: l.engine, after: after, reply: make(chan appended, 1)}
	p.recs = slices.Clone(recs)
	for i := range p.recs {
		p.recs[i].Pools = slices.Clone(recs[i].Pools)
	}
	w.mu.Lock()
	if l.dead || ctx.Err() != nil {
		defer w.mu.Unlock()
		return 0, cmp.Or(l.deadErr(), context.Cause(ctx))
	}
	for _, other := range w.appends {
		if other.engine == l.engine {
			w.violated("L2: engine %d has two appends under way", l.number)
		}
	}
	w.appends = append(w.appends, p)
	w.mu.Unlock()
	select {
	case r := <-p.reply:
		return r.seq, r.err
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cancelAppend(ctx, p)
}

// cancelAppend is called when the caller of an append does not want to wait. Not
// every log can take an append back that it has sent.
func (w *world) cancelAppend(ctx context.Context, p *pendingAppend) (uint64, error) {
	w.appends = remove(w.appends, p)
	p.engine.settled = false
	switch {
	case p.applied != nil || p.engine.dead:
		w.seen[string(appendCancelled)]++
		return 0, fmt.Errorf("sim: %w: %w", statelog.ErrAmbiguous, context.Cause(ctx))
	case w.rates[appendCancelled] > 0 && !w.quiet:
		w.seen[string(appendCancelled)]++
		w.zombies = append(w.zombies, p)
		return 0, fmt.Errorf("sim: %w: %w", statelog.ErrAmbiguous, context.Cause(ctx))
	}
	return 0, context.Cause(ctx)
}

// Read yields what is durable. It does not wait for the driver: what it has to
// say changes nothing in the world.
func (l logger) Read(
	_ context.Context, _ string, after uint64,
) iter.Seq2[statelog.Record, error] {
	recs, err := l.read()
	return func(yield func(statelog.Record, error) bool) {
		for _, r := range recs {
			if r.Seq > after && !yield(r, nil) {
				return
			}
		}
		if err != nil {
			yield(statelog.Record{}, err)
		}
	}
}

func (l logger) read() ([]statelog.Record, error) {
	w := l.world
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case l.dead:
		return nil, errDead
	case w.down:
		l.unread = true
		return nil, errStore
	case w.readsFail:
		w.readFailed = true
		l.unread = true
		return nil, errStore
	case len(w.records) == 0:
		return nil, statelog.ErrNoRun
	}
	return w.skewed(), nil
}

// skewed returns the records as they look since the wall clock was set. It is
// called with mu held.
func (w *world) skewed() []statelog.Record {
	recs := slices.Clone(w.records)
	for i := range recs {
		recs[i].Time = recs[i].Time.Add(-w.skew)
		if !recs[i].Start.IsZero() {
			recs[i].Start = recs[i].Start.Add(-w.skew)
		}
	}
	return recs
}

// Runs is not asked for by engines.
func (l logger) Runs(context.Context, statelog.Query) iter.Seq2[statelog.RunInfo, error] {
	return func(func(statelog.RunInfo, error) bool) {}
}

// decideAppend has the seed say what becomes of an append, with mu held.
func (w *world) decideAppend(p *pendingAppend) {
	switch {
	case p.applied != nil:
		w.answer(p, p.applied.seq, p.applied.err)
	case w.down, w.strikes(appendFails):
		w.answer(p, 0, errStore)
	case w.strikes(appendLost):
		w.answer(p, 0, statelog.ErrAmbiguous)
	case w.strikes(appendLate):
		w.zombies = append(w.zombies, p)
		w.answer(p, 0, statelog.ErrAmbiguous)
	case w.strikes(appendHidden):
		_ = w.apply(p)
		w.answer(p, 0, statelog.ErrAmbiguous)
	case w.strikes(appendSlow):
		r := appended{err: w.apply(p)}
		r.seq = w.book.seq
		p.applied = &r
	default:
		err := w.apply(p)
		w.answer(p, w.book.seq, err)
	}
}

// answer tells an engine what became of its append, as far as it may know.
func (w *world) answer(p *pendingAppend, seq uint64, err error) {
	e := p.engine
	w.note("engine %d: append of %d after %d: %d %v", e.number, len(p.recs), p.after, seq, err)
	e.settled = err == nil
	switch {
	case err == nil:
		e.known = seq
	case errors.Is(err, statelog.ErrFenced):
		// It may also have been late for its own append.
		e.fenced = e.id != w.book.engine
		seq = 0
	default:
		seq = 0
	}
	w.appends = remove(w.appends, p)
	p.reply <- appended{seq, err}
}

// apply adds the records of an append if they come after the last one.
func (w *world) apply(p *pendingAppend) error {
	if p.after != w.book.seq {
		w.seen["fenced"]++
		return statelog.ErrFenced
	}
	for _, r := range p.recs {
		r.Seq = w.book.seq + 1
		w.check(p.engine, &r)
		if err := w.book.fold(&r); err != nil {
			w.violated("engine %d: %w", p.engine.number, err)
		}
		w.records = append(w.records, r)
		w.seen[r.Kind.String()]++
		if r.Kind == statelog.Decided {
			w.seen["decided "+r.Decision.String()]++
		}
		if r.Kind == statelog.Done || r.Kind == statelog.Lost {
			w.seen["class "+r.Class.String()]++
		}
		w.note("  %s", w.describe(&r))
	}
	return nil
}

// describe says what a record says, for the trace.
func (w *world) describe(r *statelog.Record) string {
	s := fmt.Sprintf("%d %v", r.Seq, r.Kind)
	switch r.Kind {
	case statelog.Opened, statelog.Resumed, statelog.Reopened, statelog.Detached:
		return s
	case statelog.Closed:
		return s + " " + r.State
	case statelog.Decided:
		s += " " + r.Decision.String()
	default: // it is about an attempt
	}
	if 0 <= r.Task && r.Task < len(w.book.chapters) { // else the check says so
		s += fmt.Sprintf(" %s[%d]#%d", w.book.chapters[r.Task].task.Name, r.Instance, r.Attempt)
	}
	if slices.Contains(kindsThatEnd, r.Kind) {
		reason, _, _ := strings.Cut(r.Reason, "\n")
		s += fmt.Sprintf(" %v %v %q", r.Class, r.Delay, reason)
	}
	return s
}
