package sim_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
)

// An engine is one life of a program that runs the DAG: a Runner of its own, and
// what the world knows of it.
type engine struct {
	*world
	number int
	cancel context.CancelCauseFunc
	rooms  *capacity.Allocator

	// What follows is guarded by the world's mu.
	handle   *runner.Handle
	report   *runner.Report // of the end
	err      error          // of the start or of the end
	id       string         // as its records say
	dead     bool           // it crashed: nothing of it has an effect any more
	over     bool           // it is over, or did not begin
	fenced   bool           // it was told that another engine has the run
	known    uint64         // the last record that it knows to be durable
	settled  bool           // its last append was acknowledged
	paused   bool
	stopping bool   // it was told to end
	commands int    // that have not returned
	told     uint64 // the last event that its observer was told of
	unread   bool   // it could not read the log at some time
	// unforgotten: a Forget failed, and may not have been repeated.
	unforgotten bool
	returned    map[attempt]returned
	leased      map[attempt]room
	shrunk      bool // its nodes were made smaller
	restored    bool // it went on with attempts for which there may be no room
}

// options are settings of the Runner, the same for all engines of a world.
type options struct {
	failFast, longest bool
	maxRunning        int
	budget            int
	poison            int
	stopTimeout       time.Duration
}

func drawOptions(rnd *rand.Rand) options {
	o := options{
		failFast: rnd.IntN(8) == 0, longest: rnd.IntN(2) == 0, maxRunning: 1 + rnd.IntN(4),
		budget: -1, poison: -1,
	}
	if rnd.IntN(3) == 0 {
		o.budget = 1 + rnd.IntN(3)
	}
	if rnd.IntN(3) == 0 {
		o.poison = 1 + rnd.IntN(3)
	}
	if rnd.IntN(3) == 0 {
		o.stopTimeout = 5 * time.Second
	}
	return o
}

// newEngine makes an engine, which does nothing yet. It is called with mu held.
func (w *world) newEngine() *engine {
	e := &engine{
		world: w, number: len(w.engines) + 1,
		returned: map[attempt]returned{}, leased: map[attempt]room{},
	}
	e.rooms = capacity.New(nodeNamed("n1", cores["n1"]), nodeNamed("n2", cores["n2"]))
	w.engines = append(w.engines, e)
	return e
}

// cores of the nodes.
var cores = map[string]int64{"n1": 2, "n2": 3}

func nodeNamed(name string, cores int64) capacity.Node {
	return capacity.Node{Name: name, Total: dag.Resources{dag.Cores: cores}}
}

// runner makes the Runner of an engine.
func (e *engine) runner() *runner.Runner {
	o := e.options
	return &runner.Runner{
		Executor: &localExecutor{e},
		Pools: map[string]executor.Executor{
			far: &nodeExecutor{durableExecutor{e, far}}, queue: &durableExecutor{e, queue},
		},
		Log: e.log(), MaxRunning: o.maxRunning, FailFast: o.failFast,
		LongestPathFirst: o.longest, StopTimeout: o.stopTimeout, Seed: e.seed + 1,
		Observers: []runner.Observer{{Event: e.observe}},
		Poison:    o.poison, Lost: runner.Backoff{Max: time.Minute, Budget: o.budget},
	}
}

// log is the log as the engine finds it.
func (e *engine) log() statelog.StateLogger {
	switch l := (logger{e}); e.lock.kind {
	case processLock:
		return locker{l}
	case leasedLock:
		return leaser{locker{l}}
	default:
		return l
	}
}

// live runs the life of an engine: it opens the run or goes on with it, or
// reopens it, and waits for its end.
func (e *engine) live(again bool) {
	ctx, cancel := context.WithCancelCause(e.ctx)
	e.cancel = cancel
	r := e.runner()
	go func() {
		defer cancel(nil)
		var h *runner.Handle
		var err error
		if again {
			h, err = r.Retry(ctx, runID)
		} else {
			h, err = r.Ensure(ctx, runID, e.dag)
		}
		var report *runner.Report
		if err == nil {
			e.mu.Lock()
			e.handle = h
			e.mu.Unlock()
			report, err = h.Wait(e.ctx)
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.report, e.err, e.over = report, err, true
		e.ended()
	}()
}

// observe checks that an observer is told of all durable records in order.
func (e *engine) observe(_ *runner.Handle, ev runner.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.told > 0 && ev.Seq != e.told+1:
		e.violated("R11: engine %d tells of record %d after %d", e.number, ev.Seq, e.told)
	case ev.Seq > e.book.seq:
		e.violated("R11: engine %d tells of record %d before it is durable", e.number, ev.Seq)
	}
	e.told = ev.Seq
}

// ended checks what an engine leaves behind, with mu held.
func (e *engine) ended() {
	if e.dead {
		e.say("engine %d: is over", e.number)
		return
	}
	e.say("engine %d: is over: %v", e.number, e.err)
	if errors.Is(e.err, statelog.ErrFenced) && e.id == e.book.engine {
		e.violated("L3: engine %d gives up the run, which nobody else has", e.number)
	}
	if e.handle != nil && !e.unread && e.told < e.known {
		e.violated("R11: the observer of engine %d was told of %d records of %d",
			e.number, e.told, e.known)
	}
	if errors.Is(e.err, runner.ErrStillRunning) {
		return
	}
	for _, c := range e.calls {
		if c.engine == e {
			e.violated("R5: engine %d is over and %v runs", e.number, c.attempt)
		}
	}
	for _, n := range e.rooms.Nodes() {
		if n.Leases > 0 {
			e.violated("I10: engine %d is over and has leases on %s", e.number, n.Name)
		}
	}
}

// die ends an engine as a crash does, with mu held: what it asked for has no
// effect any more, unless it is under way already.
func (e *engine) die() {
	w := e.world
	e.dead = true
	for _, p := range sortedAppends(w.appends) {
		if p.engine != e {
			continue
		}
		if p.applied == nil {
			switch w.rnd.IntN(3) {
			case 0:
				_ = w.apply(p)
				w.seen["crash after append"]++
			case 1:
				w.zombies = append(w.zombies, p)
			default:
				w.seen["crash before append"]++
			}
		}
		w.answer(p, 0, e.deadErr())
	}
	for _, c := range sortedCalls(w.calls) {
		if c.engine == e && !c.over {
			c.end(executor.Result{}, errDead)
		}
	}
	for _, f := range w.forgets {
		if f.engine == e {
			f.reply <- errDead
		}
	}
	if w.lock.holder == e {
		w.lock.onLost = nil
		if w.lock.kind == processLock {
			w.lock = lock{kind: processLock}
		} else if w.lock.lostAt.IsZero() {
			w.lock.lostAt = time.Now()
		}
	}
	e.cancel(errDead)
}

// deadErr ends the waiting of a dead engine for its log: it has no other way to
// stop at once.
func (e *engine) deadErr() error {
	if e.dead {
		return errors.Join(errDead, statelog.ErrFenced)
	}
	return nil
}

// active reports whether the engine is at work, as far as the world can see.
func (e *engine) active() bool { return !e.dead && !e.over }

// aliveLocally reports whether attempts of the engine run that do not outlive it
// and were not told to stop.
func (e *engine) aliveLocally() bool {
	for _, c := range e.calls {
		if c.engine == e && c.pool == near && c.cause == nil && !c.over && !e.dead {
			return true
		}
	}
	return false
}
