package sim_test

import (
	"errors"
	"time"

	"github.com/daggy-go/daggy/runner"
)

// disturb has something go wrong, or somebody do something, and reports whether
// it did. It is called with mu held.
func (w *world) disturb() bool {
	return w.disturbStore() || w.disturbNodes() || w.disturbEngines() || w.disturbUsers()
}

func (w *world) disturbStore() bool {
	switch {
	case !w.down && w.strikes(outage):
		w.note("! the store is down")
		w.down = true
	case !w.readsFail && w.strikes(readFails):
		w.note("! the next read fails")
		w.readsFail = true
	case w.lock.kind == leasedLock && w.lock.holder != nil && w.lock.lostAt.IsZero() &&
		w.lock.onLost != nil && w.strikes(lockLost):
		w.note("! engine %d loses its lock", w.lock.holder.number)
		w.lock.holder.stopping = true
		w.lock.lose()
	default:
		return false
	}
	return true
}

func (w *world) disturbNodes() bool {
	name := []string{"n1", "n2"}[w.rnd.IntN(2)]
	switch n := w.nodes[name]; {
	case !n.cut && w.strikes(partition):
		w.note("! %s is cut off", name)
		n.cut = true
	case w.strikes(nodeDeath):
		w.note("! %s dies", name)
		w.kill(name, 0)
	case w.strikes(requeue):
		w.note("! work on %s is requeued", name)
		w.kill(name, 1)
	default:
		return false
	}
	return true
}

// kill ends work on a node: limit bounds how much, 0 is all of it. A job that
// starts again finds that its key was claimed, and does nothing.
func (w *world) kill(name string, limit int) {
	n := 0
	for _, k := range w.sortedWorks() {
		if k.node == name && k.claim == running && (limit == 0 || n < limit) {
			k.claim = gone
			n++
		}
	}
}

func (w *world) disturbEngines() bool {
	e := w.atWork()
	if e == nil {
		return false
	}
	switch {
	case w.strikes(crash):
		w.note("! engine %d crashes", e.number)
		e.die()
		if w.strikes(clockStep) {
			w.skew += time.Duration(w.rnd.IntN(7200)-3600) * time.Second
			w.note("! the wall clock is set, by %v since the beginning", w.skew)
		}
	case w.countActive() < 3 && w.strikes(secondEngine):
		w.note("! another engine takes the run")
		w.newEngine().live(false)
	case !e.stopping && w.strikes(cancel):
		w.note("! the context of engine %d ends", e.number)
		e.stopping = true
		e.cancel(errors.New("sim: cancelled"))
	case w.strikes(capacities):
		name := []string{"n1", "n2"}[w.rnd.IntN(2)]
		n := w.rnd.Int64N(cores[name] + 1)
		w.note("! engine %d has %d cores on %s", e.number, n, name)
		e.shrunk = true
		e.rooms.SetNode(nodeNamed(name, n))
	default:
		return false
	}
	return true
}

func (w *world) countActive() int {
	n := 0
	for _, e := range w.engines {
		if e.active() {
			n++
		}
	}
	return n
}

// disturbUsers has a user command the engine, or reopen the run.
func (w *world) disturbUsers() bool {
	e := w.atWork()
	if e == nil {
		if !w.book.closed || !w.strikes(reopen) {
			return false
		}
		w.note("! the run is reopened")
		w.newEngine().live(true)
		return true
	}
	if e.handle == nil || e.commands > 1 {
		return false
	}
	return w.disturbRun(e) || w.disturbTask(e)
}

func (w *world) disturbRun(e *engine) bool {
	var f func(h *runner.Handle) error
	var what fault
	switch {
	case !e.stopping && w.strikes(stopRun):
		what, e.stopping = stopRun, true
		f = func(h *runner.Handle) error { return h.Stop(w.ctx) }
	case !e.stopping && w.strikes(detachRun):
		what, e.stopping = detachRun, true
		f = func(h *runner.Handle) error { return h.Detach(w.ctx) }
	case !e.stopping && w.strikes(abortRun):
		what, e.stopping = abortRun, true
		f = func(h *runner.Handle) error { return h.Abort(w.ctx, "as the seed wants it") }
	case !e.paused && w.strikes(pauseRun):
		what, e.paused = pauseRun, true
		f = func(h *runner.Handle) error { return h.Pause(w.ctx) }
	case e.paused && w.rnd.IntN(8) == 0:
		what, e.paused = "continue", false
		f = func(h *runner.Handle) error { return h.Continue(w.ctx) }
	default:
		return false
	}
	w.note("! engine %d: %s", e.number, what)
	w.command(e, f)
	return true
}

func (w *world) disturbTask(e *engine) bool {
	if len(w.book.chapters) == 0 {
		return false
	}
	i := w.rnd.IntN(len(w.book.chapters))
	c := &w.book.chapters[i]
	name := c.task.Name
	if w.rnd.IntN(2) == 0 {
		name = w.book.name(instance{name, w.rnd.IntN(len(c.pages))})
	}
	down := w.rnd.IntN(2) == 0
	var f func(h *runner.Handle) error
	var what fault
	switch {
	case w.strikes(killTask):
		what = killTask
		f = func(h *runner.Handle) error { return h.Kill(w.ctx, name) }
	case w.strikes(holdTask):
		what = holdTask
		f = func(h *runner.Handle) error { return h.Hold(w.ctx, name) }
	case w.strikes(releaseTask):
		what = releaseTask
		f = func(h *runner.Handle) error { return h.Release(w.ctx, name) }
	case w.strikes(retryTask):
		what = retryTask
		f = func(h *runner.Handle) error { return h.Retry(w.ctx, name, down) }
	default:
		return false
	}
	w.note("! engine %d: %s %s", e.number, what, name)
	w.command(e, f)
	return true
}
