package sim_test

import (
	"fmt"
	"testing/synctest"
	"time"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner"
)

// A choice is something that can happen next. Those of a greater weight are
// chosen more often.
type choice struct {
	weight int
	what   string
	do     func() // with mu held
}

const (
	maxSteps = 250  // before the quiet phase
	maxQuiet = 4000 // steps in it, within which the run must end
)

// drive lets things happen until the run is over or an invariant is violated.
func (w *world) drive() {
	w.mu.Lock()
	w.newEngine().live(false)
	w.mu.Unlock()
	steps := 20 + w.rnd.IntN(maxSteps)
	for w.step = 0; ; w.step++ {
		synctest.Wait()
		w.mu.Lock()
		w.listen()
		if w.step == steps {
			w.calm()
		}
		over := w.broken != nil || w.finished()
		w.mu.Unlock()
		if over {
			break
		}
		if w.step > steps+maxQuiet {
			w.mu.Lock()
			w.violated("I8: the run does not end: %s", w.stuck())
			w.mu.Unlock()
			break
		}
		w.checkLive()
		w.happen()
	}
	w.mu.Lock()
	broken := w.broken
	w.mu.Unlock()
	if broken == nil {
		w.checkEnd()
	}
	w.windUp()
}

// happen has one thing happen.
func (w *world) happen() {
	w.mu.Lock()
	if w.readFailed { // all that read at once have failed, whoever was first
		w.readsFail, w.readFailed = false, false
	}
	if !w.quiet && w.disturb() {
		w.mu.Unlock()
		return
	}
	choices := w.choices()
	total := 0
	for _, c := range choices {
		total += c.weight
	}
	if total == 0 {
		w.mu.Unlock()
		w.pass(w.quietPause())
		return
	}
	at := w.rnd.IntN(total)
	for _, c := range choices {
		if at -= c.weight; at < 0 {
			w.note("- %s", c.what)
			c.do()
			break
		}
	}
	w.mu.Unlock()
	w.pass(w.pause)
	w.pause = 0
}

// pass lets time pass, without mu.
func (w *world) pass(d time.Duration) {
	if d > 0 {
		<-time.After(d)
	}
}

// quietPause is how long to wait when there is nothing else to do: longer each
// time, for what is waited for may be far away.
func (w *world) quietPause() time.Duration {
	w.idle++
	return min(time.Second<<min(w.idle, 12), time.Hour)
}

// choices lists what can happen next, in a fixed order. It is called with mu
// held.
func (w *world) choices() []choice {
	var list []choice
	add := func(weight int, do func(), format string, args ...any) {
		list = append(list, choice{weight, fmt.Sprintf(format, args...), do})
	}
	for _, p := range sortedAppends(w.appends) {
		add(4, func() { w.decideAppend(p) }, "append of engine %d", p.engine.number)
	}
	for _, f := range w.sortedForgets() {
		if len(f.reply) == 0 {
			add(2, func() { w.decideForget(f) }, "forget of engine %d", f.engine.number)
		}
	}
	for _, p := range sortedAppends(w.zombies) {
		add(1, func() { w.rise(p) }, "late append of engine %d", p.engine.number)
	}
	for _, m := range w.messages {
		if !w.nodes[m.node].cut {
			add(4, func() { w.deliver(m) }, "message %d", m.id)
		}
	}
	list = append(list, w.workChoices()...)
	list = append(list, w.otherChoices()...)
	if len(list) > 0 {
		w.idle = 0
	}
	return list
}

// workChoices are steps of work and of those who attend to it.
func (w *world) workChoices() []choice {
	var list []choice
	for _, c := range sortedCalls(w.calls) {
		what := fmt.Sprintf("%v of engine %d", c.attempt, c.engine.number)
		switch {
		case c.over || len(c.told) > 0:
		case c.pool == near:
			list = append(list, choice{3, what, func() { w.stepLocal(c) }})
		case c.detached():
			list = append(list, choice{9, "detach " + what, func() {
				c.end(executor.Result{}, c.cause)
			}})
		case w.worthAsking(c):
			list = append(list, choice{3, "ask for " + what, func() { w.ask(c) }})
		}
	}
	for _, k := range w.sortedWorks() {
		if k.claim == running {
			list = append(list, choice{2, "work " + k.String(), func() {
				k.claim, k.outcome = ended, w.outcome(k.attempt)
			}})
		}
	}
	return list
}

// pauses are how long time may pass at once.
var pauses = []time.Duration{
	time.Millisecond, 100 * time.Millisecond, time.Second, 10 * time.Second, time.Minute,
}

// otherChoices are what mends faults, and time.
func (w *world) otherChoices() []choice {
	var list []choice
	add := func(weight int, what string, do func()) {
		list = append(list, choice{weight, what, do})
	}
	for _, name := range []string{"n1", "n2"} {
		if n := w.nodes[name]; n.cut {
			add(1, name+" is reached again", func() { n.cut = false })
		}
	}
	if w.down {
		add(1, "the store is back", func() { w.down = false })
	}
	if w.atWork() == nil {
		if !w.book.closed && w.idle == 0 {
			add(3, "an engine goes on", func() {
				w.newEngine().live(false)
				if w.quiet {
					w.pause = 10 * time.Second // the lock may not be free yet
				}
			})
		}
	} else if w.quiet {
		list = append(list, w.mendings()...)
	}
	if !w.quiet {
		add(1, "time passes", func() {
			w.pause = pauses[w.rnd.IntN(len(pauses))]
		})
	}
	return list
}

// mendings undo what users did that keeps a run from its end.
func (w *world) mendings() []choice {
	e := w.atWork()
	if e.handle == nil || e.commands > 0 {
		return nil
	}
	if e.paused {
		return []choice{{1, "continue", func() {
			e.paused, w.pause = false, time.Second
			w.command(e, func(h *runner.Handle) error { return h.Continue(w.ctx) })
		}}}
	}
	for _, name := range w.book.holds() {
		return []choice{{1, "release " + name, func() {
			w.pause = time.Second
			w.command(e, func(h *runner.Handle) error { return h.Release(w.ctx, name) })
		}}}
	}
	return nil
}

// atWork returns the engine that has the run or is about to take it, or nil. One
// from which another has taken the run may not know that for long: it finds out
// when it has something to record.
func (w *world) atWork() *engine {
	for i := len(w.engines) - 1; i >= 0; i-- {
		if e := w.engines[i]; e.active() && (e.id == "" || e.id == w.book.engine) {
			return e
		}
	}
	return nil
}

// command has a user command an engine, with mu held.
func (w *world) command(e *engine, f func(*runner.Handle) error) {
	e.commands++
	h := e.handle
	go func() {
		err := f(h)
		w.mu.Lock()
		defer w.mu.Unlock()
		e.commands--
		if e.dead {
			return
		}
		w.say("engine %d: command: %v", e.number, err)
	}()
}

// rise has an append take effect that nobody waits for any more.
func (w *world) rise(p *pendingAppend) {
	w.zombies = remove(w.zombies, p)
	if w.apply(p) == nil {
		w.seen["late append applied"]++
	} else {
		w.seen["late append refused"]++
	}
}

// calm begins the quiet phase, with mu held.
func (w *world) calm() {
	w.note("from here on nothing goes wrong")
	w.quiet, w.down, w.readsFail = true, false, false
	for _, n := range w.nodes {
		n.cut = false
	}
	for _, e := range w.engines {
		if e.active() {
			e.rooms.SetNode(nodeNamed("n1", cores["n1"]))
			e.rooms.SetNode(nodeNamed("n2", cores["n2"]))
		}
	}
}

// finished reports whether the run is closed and nothing moves any more.
func (w *world) finished() bool {
	return w.quiet && w.book.closed && w.atWork() == nil && len(w.appends) == 0
}

// stuck says what there is when the run does not end.
func (w *world) stuck() string {
	s := fmt.Sprintf("closed=%v, %d appends, %d calls, %d messages",
		w.book.closed, len(w.appends), len(w.calls), len(w.messages))
	for _, e := range w.engines {
		if e.active() {
			s += fmt.Sprintf(", engine %d is at work", e.number)
		}
	}
	for i := range w.book.chapters {
		c := &w.book.chapters[i]
		for k, p := range c.pages {
			if !p.state.settled() {
				s += fmt.Sprintf(", %s[%d] is %s", c.task.Name, k, p.state)
			}
		}
	}
	return s
}

// windUp ends everything that is left of the world, so that its bubble can end.
func (w *world) windUp() {
	w.mu.Lock()
	w.quiet = true
	for _, e := range w.engines {
		if !e.dead {
			e.die()
		}
	}
	w.mu.Unlock()
	for range 8 {
		w.pass(time.Hour) // whoever waits for the time has it
		synctest.Wait()
	}
	w.listen()
}
