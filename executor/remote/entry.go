package remote

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// An entry is one key on one node, while somebody is in Run for it. mu of the node
// guards it.
type entry struct {
	key     string
	body    []byte // the submission
	resume  bool   // it may have been started before
	journal string // under which it may have been
	boot    string
	waiters []*waiter

	queued bool // in one of the queues to be submitted
	owned  bool // the daemon has said that this session has it, since it started
	mine   bool // it was owned, and no other session has it since
	maybe  int  // how often it was sent and not answered
	foreign,
	gone bool // nobody waits any more
	retryAt time.Time
	born    time.Time

	closing     bool // it is to end
	closeQueued bool
	cause       string // of that, in words of the protocol
	polled      bool   // no stream tells how it fares

	state wire.State
	over  bool
	err   error // of an entry that is over, where state does not say it
}

// A waiter is one call of Run.
type waiter struct {
	*entry
	node   *node
	signal chan struct{} // something may have changed
}

// notify wakes everybody who waits for e.
func (e *entry) notify() {
	for _, w := range e.waiters {
		select {
		case w.signal <- struct{}{}:
		default:
		}
	}
}

func (e *entry) running() bool { return e.state.State == wire.Running }

// end closes the books of e.
func (e *entry) end(err error) {
	if !e.over {
		e.over, e.err = true, err
		e.notify()
	}
}

// lose ends e with a LostError, which has to be true (E3).
func (n *node) lose(e *entry, why string) { e.end(n.lost(why)) }

// loseSafely is lose for something that does not run, but that a request which may
// still be on its way could start: then the key is closed first.
func (n *node) loseSafely(e *entry, why string) {
	if e.maybe == 0 && !e.resume {
		n.lose(e, why)
		return
	}
	n.close(e, "", true)
}

func (n *node) lost(why string) error {
	return &executor.LostError{Err: n.says(why)}
}

// says is an error that is about the node.
func (n *node) says(text string) error { return fmt.Errorf("remote: node %q: %s", n.name, text) }

// usualBody is what most submissions have room in.
const usualBody = 320

// join registers a call of Run that is expected. closing: the key is to be closed.
func (n *node) join(a *executor.Attempt, sub *wire.Submission, closing bool) (*waiter, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.coming--
	e := n.entries[a.Key]
	if e == nil {
		journal, boot, ref := splitRef(a.Ref)
		sub.Ref, sub.Resumed = ref, false // see entry.submission
		body, err := sub.Append(make([]byte, 0, usualBody))
		if err != nil {
			n.maybeLeave()
			return nil, executor.Permanent(fmt.Errorf("remote: %w", err))
		}
		e = &entry{key: a.Key, body: append(body, '\n'), resume: a.Resumed, born: time.Now()}
		e.journal, e.boot = journal, boot
		n.entries[a.Key] = e
		if n.gone {
			n.lose(e, "it is gone")
		}
		n.checkJournal(e)
		if !closing && !e.over {
			n.enqueue(e)
		}
	}
	w := &waiter{entry: e, node: n, signal: make(chan struct{}, 1)}
	e.waiters = append(e.waiters, w)
	if closing {
		n.close(e, "", true)
	}
	return w, nil
}

// leave ends a call of Run.
func (w *waiter) leave() {
	n := w.node
	n.mu.Lock()
	defer n.mu.Unlock()
	i := slices.Index(w.waiters, w)
	w.waiters = slices.Delete(w.waiters, i, i+1)
	if len(w.waiters) > 0 {
		return
	}
	w.gone = true
	delete(n.entries, w.key)
	n.detached = n.detached || !w.over && !w.unsent()
	if n.config.Ephemeral && w.over && !w.unsent() {
		n.owe(&acking{keys: []string{w.key}})
		n.wake()
	}
	n.maybeLeave()
}

// enqueue has e submitted.
func (n *node) enqueue(e *entry) {
	if !e.queued && !e.foreign {
		e.queued = true
		n.queue = append(n.queue, e)
		n.wake()
	}
}

// retry has e submitted at a later time.
func (n *node) retry(e *entry, after time.Duration) {
	if !e.queued && !e.foreign {
		e.queued, e.retryAt = true, time.Now().Add(after)
		n.later = append(n.later, e)
		n.wake()
	}
}

// close has e closed. If it certainly was never sent it is over at once, unless the
// key is to be closed for good, or the node is there and can be told.
func (n *node) close(e *entry, cause string, forGood bool) {
	if e.over || e.closing {
		return
	}
	e.closing, e.cause = true, cause
	if e.unsent() && !n.up && !forGood {
		e.end(errUnsent)
		return
	}
	n.enqueueClose(e)
}

func (n *node) enqueueClose(e *entry) {
	if !e.closeQueued {
		e.closeQueued = true
		n.closes = append(n.closes, e)
		n.wake()
	}
}

// unsent reports whether the daemon certainly has nothing of e.
func (e *entry) unsent() bool {
	return !e.resume && !e.owned && !e.mine && e.maybe == 0 && !e.polled
}

// take notes a state that the daemon tells.
func (n *node) take(st *wire.State) {
	e := n.entries[st.Key]
	if e == nil || e.over {
		return
	}
	if st.Rev < e.state.Rev && st.State != wire.Moved && st.State != wire.Closed {
		return // closed is for ever, and has no revision
	}
	switch st.State {
	case wire.Moved:
		if e.owned {
			e.owned, e.mine = false, false
			e.resume = true
			n.poll(e)
		}
		return
	case wire.NotStarted:
		n.notStarted(e, st.RetryAfter, st.Reason)
		return
	}
	e.state = *st
	switch st.State {
	case wire.Ended, wire.Closed:
		e.end(nil)
	default:
		e.notify()
	}
}

// poll has e asked for, since no stream tells of it.
func (n *node) poll(e *entry) {
	if !e.polled {
		e.polled = true
		n.polls = append(n.polls, e)
		n.wake()
	}
}

// submission returns the line to be sent.
func (e *entry) submission(b []byte) []byte {
	if !e.resume {
		return append(b, e.body...)
	}
	b = append(b, e.body[:len(e.body)-len("}\n")]...)
	return append(b, resumedEnd...)
}

// resumedEnd ends the submission of what may have been started.
var resumedEnd = []byte(`,"resumed":true}` + "\n")

var (
	errUnsent  = errors.New("it was never sent")
	errForeign = errors.New("the daemon has another journal than when it took this attempt, " +
		"so nobody can say whether it runs")
)
