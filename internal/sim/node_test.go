package sim_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

// A durableExecutor is the engine's side of a model of E5: attempts run on nodes
// that know nothing of engines, and all talk goes by messages that may be late,
// lost or doubled. Whoever comes first to the node, the job or somebody who
// closes its key, takes the claim on that key, once and for all.
type durableExecutor struct {
	*engine
	pool string
}

// A nodeExecutor has nodes of which capacity is leased.
type nodeExecutor struct{ durableExecutor }

var (
	_ executor.Durable    = (*durableExecutor)(nil)
	_ executor.Allocating = (*nodeExecutor)(nil)
)

// Validate accepts every job.
func (d *durableExecutor) Validate(dag.Job) error { return nil }

// Durable reports true.
func (d *durableExecutor) Durable() bool { return true }

// Allocator has the nodes.
func (d *nodeExecutor) Allocator() *capacity.Allocator { return d.rooms }

// Run waits for the driver.
func (d *durableExecutor) Run(
	ctx context.Context, a *executor.Attempt,
) (executor.Result, error) {
	return d.wait(ctx, d.pool, a)
}

// A pendingForget waits for the driver.
type pendingForget struct {
	engine *engine
	keys   []string
	reply  chan error
}

// Forget waits for the driver.
func (d *durableExecutor) Forget(ctx context.Context, keys ...string) error {
	w := d.world
	f := &pendingForget{engine: d.engine, keys: slices.Clone(keys), reply: make(chan error, 1)}
	w.mu.Lock()
	if d.dead {
		w.mu.Unlock()
		return errDead
	}
	w.forgets = append(w.forgets, f)
	w.checkForget(f)
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.forgets = remove(w.forgets, f)
		w.mu.Unlock()
	}()
	select {
	case err := <-f.reply:
		return err
	case <-ctx.Done():
		w.mu.Lock()
		d.unforgotten = true
		w.mu.Unlock()
		return context.Cause(ctx)
	}
}

// node is a place where work runs.
type node struct{ cut bool }

// claim says what became of a key on its node. It never goes back.
type claim string

const (
	running claim = "running"
	ended   claim = "ended"  // by itself, or for its time limit
	gone    claim = "gone"   // with its node, or an engine stopped it
	closed  claim = "closed" // before it started
)

// work is what a node knows of a key.
type work struct {
	attempt
	node      string
	ref       string
	claim     claim
	outcome   outcome
	forgotten bool
}

// A message is under way between an engine and a node.
type message struct {
	id     int
	call   *call
	node   string
	stop   bool // the engine wants the key closed; else, started
	answer bool // to the engine
	claim  claim
	ref    string
	outcome
}

// place is the node on which a call's work runs.
func (w *world) place(c *call) string {
	if c.node != "" {
		return c.node
	}
	return []string{"n1", "n2"}[w.hash("place", c.attempt)%2]
}

// ask sends a message for a call, with mu held.
func (w *world) ask(c *call) {
	// Of a key that another engine may have started, nobody can say so (E4).
	if !c.asked && !c.resumed && c.cause == nil && w.strikes(notStarted) {
		c.end(executor.Result{}, w.refusal())
		return
	}
	c.asked = true
	w.send(&message{call: c, node: w.place(c), stop: c.cause != nil})
}

func (w *world) send(m *message) {
	w.sent++
	m.id = w.sent
	w.messages = append(w.messages, m)
}

// worthAsking reports whether a call would learn something new by asking again.
// Whoever asks for nothing does no harm, but takes time.
func (w *world) worthAsking(c *call) bool {
	for _, m := range w.messages {
		if m.call == c && (m.answer || m.stop == (c.cause != nil)) {
			return false
		}
	}
	k := w.works[c.attempt]
	return c.cause != nil || k == nil || k.claim != running || !c.known
}

// deliver takes a message to where it goes, with mu held.
func (w *world) deliver(m *message) {
	c := m.call
	switch {
	case w.strikes(drop):
		w.messages = remove(w.messages, m)
		return
	case w.strikes(duplicate):
		w.note("message %d: doubled", m.id)
	default:
		w.messages = remove(w.messages, m)
	}
	w.note("message %d: %v stop=%v answer=%v %s", m.id, c.attempt, m.stop, m.answer, m.claim)
	if m.answer {
		w.hear(m)
		return
	}
	if c.over || c.engine.dead {
		w.seen["late message"]++
	}
	k := w.arrive(m)
	w.send(&message{
		call: c, node: m.node, answer: true, claim: k.claim, ref: k.ref, outcome: k.outcome,
	})
}

// arrive is what a node does about a message.
func (w *world) arrive(m *message) *work {
	a := m.call.attempt
	k := w.works[a]
	switch {
	case k == nil && m.stop:
		k = &work{attempt: a, node: m.node, claim: closed}
		w.seen["claim taken by the engine"]++
	case k == nil:
		k = &work{attempt: a, node: m.node, claim: running, ref: fmt.Sprint("job", len(w.works))}
		w.starts(a, m.call.engine)
	case k.claim == running && m.stop && w.strikes(stubborn):
		k.claim, k.outcome = ended, w.outcome(a)
	case k.claim == running && m.stop && errors.Is(m.call.cause, executor.ErrTimeLimit):
		k.claim, k.outcome = ended, stopped(m.call.cause)
	case k.claim == running && m.stop:
		k.claim = gone
	default:
		w.seen["attached"]++
	}
	w.works[a] = k
	return k
}

// errTombstone is what a node says of a key that was closed.
var errTombstone = errors.New("sim: the key was closed before it started")

// hear is what an engine does about an answer.
func (w *world) hear(m *message) {
	c := m.call
	switch m.claim {
	case running:
		if !c.known {
			c.known = true
			c.report(executor.Status{Running: true, Ref: m.ref, Node: m.node})
		}
	case ended:
		c.finish(m.outcome)
	case gone:
		// That an engine wanted it so is no fault of the task, for another one
		// that did not hear of it.
		c.end(executor.Result{}, &executor.LostError{Err: errNode})
	case closed:
		c.end(executor.Result{}, &executor.LostError{Err: errTombstone})
	}
}

// sortedWorks returns works in a fixed order.
func (w *world) sortedWorks() []*work {
	works := make([]*work, 0, len(w.works))
	for _, k := range w.works {
		works = append(works, k)
	}
	slices.SortFunc(works, func(a, b *work) int { return a.compare(b.attempt) })
	return works
}

// sortedForgets returns calls of Forget in a fixed order.
func (w *world) sortedForgets() []*pendingForget {
	return slices.SortedFunc(slices.Values(w.forgets), func(a, b *pendingForget) int {
		return cmp.Or(cmp.Compare(a.engine.number, b.engine.number),
			w.keys[a.keys[0]].compare(w.keys[b.keys[0]]))
	})
}

// decideForget answers a call of Forget, with mu held.
func (w *world) decideForget(f *pendingForget) {
	if w.strikes(forgetFails) {
		f.engine.unforgotten = true
		f.reply <- errStore
		return
	}
	for _, key := range f.keys {
		w.note("engine %d: forgets %v", f.engine.number, w.keys[key])
		if k := w.works[w.keys[key]]; k != nil {
			k.forgotten, k.outcome = true, outcome{err: errTombstone}
			w.seen["forgotten"]++
		}
	}
	f.reply <- nil
}
