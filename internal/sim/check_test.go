package sim_test

import (
	"errors"
	"slices"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/statelog"
)

// room is what an attempt has leased, as its executor sees it.
type room struct {
	node  string
	cores int64
}

// checkCall checks a call of Run, with mu held.
func (e *engine) checkCall(c *call, cores int64) {
	if known, ok := e.keys[c.key]; ok && known != c.attempt {
		e.violated("E5: %v has the key of %v", c.attempt, known)
	}
	e.keys[c.key] = c.attempt
	e.checkIntent(c)
	e.checkFence(c)
	e.checkResumed(c)
	e.checkRoom(c, cores)
	for _, other := range e.calls {
		if other != c && other.engine == e && other.instance == c.instance && !other.over {
			e.violated("I1: engine %d runs %v while it runs %v", e.number, c.attempt, other.attempt)
		}
	}
}

// intent returns the record of an attempt's intent, or nil.
func (w *world) intent(a attempt) *statelog.Record {
	for i := range w.records {
		r := &w.records[i]
		if r.Kind == statelog.Intent && r.Attempt == a.number && r.Instance == a.index &&
			w.book.chapters[r.Task].task.Name == a.task {
			return r
		}
	}
	return nil
}

// checkIntent checks that the intent of what is run is durable (I3).
func (e *engine) checkIntent(c *call) {
	if e.intent(c.attempt) == nil {
		e.violated("I3: engine %d runs %v without a durable intent", e.number, c.attempt)
	}
}

// checkFence checks that an engine that knows of another runs nothing (I12).
func (e *engine) checkFence(c *call) {
	if e.fenced && c.cause == nil {
		e.violated("I12: engine %d runs %v although it was fenced", e.number, c.attempt)
	}
}

// checkResumed checks that an attempt is said to be resumed if, and only if,
// another engine recorded its intent (E5).
func (e *engine) checkResumed(c *call) {
	r := e.intent(c.attempt)
	if r == nil {
		return
	}
	mine := false
	for i := range e.records[:r.Seq] {
		switch rec := &e.records[i]; rec.Kind {
		case statelog.Opened, statelog.Resumed, statelog.Reopened:
			mine = rec.Engine == e.id
		default: // the engine is the same
		}
	}
	if c.resumed == mine {
		e.violated("E5: engine %d runs %v as resumed=%v", e.number, c.attempt, c.resumed)
	}
}

// checkRoom checks that no more is leased of a node than it has (I10). What was
// running on a node that got smaller goes on.
func (e *engine) checkRoom(c *call, need int64) {
	if c.node == "" {
		return
	}
	_, again := e.leased[c.attempt]
	e.leased[c.attempt] = room{c.node, need}
	sum, total := int64(0), int64(0)
	for _, r := range e.leased {
		if r.node == c.node {
			sum += r.cores
		}
	}
	for _, n := range e.rooms.Nodes() {
		if n.Name == c.node {
			total = n.Total[dag.Cores]
		}
	}
	if sum > total && !again && !c.resumed && !e.shrunk && !e.restored {
		e.violated("I10: engine %d has %d of %d cores of %s at work", e.number, sum, total, c.node)
	}
	e.restored = e.restored || c.resumed
}

// vacate ends a lease, unless the attempt is going to be run again with it.
func (e *engine) vacate(c *call) {
	r := e.returned[c.attempt]
	if _, ok := errors.AsType[*executor.NotStartedError](r.err); !ok {
		delete(e.leased, c.attempt)
	}
}

// starts checks the start of work, with mu held. Work of durable executors starts
// when the job takes the claim; local work when the call is made.
func (w *world) starts(a attempt, by *engine) {
	w.note("starts %v", a)
	p := w.book.find(a.instance)
	local := w.book.chapters[w.book.index(a.task)].task.Pool == near
	stale := by.id != w.book.engine // it does not know yet that another has the run
	switch {
	case p == nil:
		w.violated("I3: %v starts, which is not there", a)
	case local && stale:
		return // once more than needed, which is all that is promised
	case p.state == completed:
		w.violated("I2: %v starts after its instance completed", a)
	case p.state != open || p.attempts != a.number:
		w.violated("I4: %v starts although it is closed", a)
	}
	for _, k := range w.sortedWorks() {
		if k.instance == a.instance && k.claim == running && k.attempt != a {
			w.violated("I1: %v starts while %v runs", a, k.attempt)
		}
	}
}

// check checks a record against what really is, before it is added.
func (w *world) check(e *engine, r *statelog.Record) {
	switch r.Kind {
	case statelog.Opened, statelog.Resumed, statelog.Reopened:
		e.id, e.fenced = r.Engine, false
		return
	default: // it is about the run
	}
	if e.id != w.book.engine {
		w.violated("L3: engine %d adds a record and another has the run", e.number)
	}
	if !slices.Contains(kindsThatEnd, r.Kind) || r.Attempt == 0 ||
		r.Task >= len(w.book.chapters) {
		return
	}
	a := attempt{instance{w.book.chapters[r.Task].task.Name, r.Instance}, r.Attempt}
	delete(e.leased, a)
	w.checkDead(a)
	w.checkTruth(e, a, r)
}

// checkDead checks that nothing runs any more of an attempt that is closed (E3,
// E5): what is closed may be started again.
func (w *world) checkDead(a attempt) {
	if k := w.works[a]; k != nil && k.claim == running {
		w.violated("I4: %v is closed while it runs", a)
	}
	for _, c := range w.calls {
		if c.attempt == a && c.pool == near && c.began && !c.over && !c.engine.dead &&
			c.engine.id == w.book.engine {
			w.violated("I4: %v is closed while it runs", a)
		}
	}
}

// checkTruth checks that the recorded outcome is what the executor returned (E1).
func (w *world) checkTruth(e *engine, a attempt, r *statelog.Record) {
	got, ok := e.returned[a]
	if !ok {
		if r.Kind != statelog.NotStarted && r.Class != statelog.Interrupted &&
			r.Class != statelog.Killed && r.Class != statelog.Poison {
			w.violated("E1: engine %d records %v of %v, which it did not run", e.number, r.Kind, a)
		}
		return
	}
	good := got.err == nil && got.result.OK() && !got.panics
	_, isLost := errors.AsType[*executor.LostError](got.err)
	_, isRefused := errors.AsType[*executor.NotStartedError](got.err)
	success := r.Kind == statelog.Done && r.Class == statelog.Success
	generator := w.book.chapters[r.Task].task.Generator // its output may be bad
	switch {
	case success && !good, good && !success && !generator:
		w.violated("E1: engine %d records %v %v of %v, which returned %v %v",
			e.number, r.Kind, r.Class, a, got.result, got.err)
	case r.Kind == statelog.NotStarted && !isRefused:
		w.violated("E4: engine %d withdraws %v, which may have started", e.number, a)
	case isLost && counts(r.Class):
		w.violated("I9: engine %d records the loss of %v as %v", e.number, a, r.Class)
	}
}

// checkForget checks that the outcome of what is forgotten is durable (I11).
func (w *world) checkForget(f *pendingForget) {
	for _, key := range f.keys {
		a, ok := w.keys[key]
		if !ok {
			continue // it was never run
		}
		if p := w.book.find(a.instance); p.state == open && p.attempts == a.number {
			w.violated("I11: engine %d forgets %v, which is open", f.engine.number, a)
		}
	}
}
