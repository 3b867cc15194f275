package remote

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// A node is one daemon and what this executor has there. Two goroutines belong to
// it, one that listens to the stream of results and one that makes the requests, and
// with leases one more that renews them; however many attempts there are.
type node struct {
	*Executor
	name string
	kick chan struct{} // the sender has something to do

	cancel context.CancelFunc
	done   sync.WaitGroup

	mu       sync.Mutex // guards the following
	endpoint *endpoint  // nil: the node is not in the fleet, and may come
	entries  map[string]*entry
	coming   int // calls of Run that are about to have an entry

	up     bool                    // the stream is there
	hangUp context.CancelCauseFunc // ends it
	since  time.Time               // since when it is up, or is not
	why    string                  // it is not up
	health wire.Health
	start  string // of the daemon that rev is of
	rev    uint64
	known  capacity.Node // as the allocator has it
	placed string        // why it takes no work, as the allocator has it

	drained  bool // by the program
	removed  bool // by the program; leaves when nothing is open
	gone     bool // by the program; nothing runs there
	draining bool // it says so itself
	trouble  string

	failures int       // of requests, in a row
	retryAt  time.Time // no request before
	pauseTo  time.Time // nothing new before, and why
	pauseWhy string
	renewAt  time.Time
	unsure   bool // some may have moved, and that was not heard
	detached bool // something was left there, and may go on

	talk    *conversation // in which is submitted. Nil: there is none
	queue   []*entry      // to be submitted
	written []byte        // of the sender, to be used again
	closes  []*entry      // to be closed
	polls   []*entry      // to be asked for
	later   []*entry      // to be submitted at their retryAt
	acks    []*acking
}

// newNode has mu of the Executor held.
func newNode(e *Executor, name string) *node {
	return &node{
		Executor: e, name: name, kick: make(chan struct{}, 1), entries: map[string]*entry{},
		since: time.Now(), why: "nothing has been heard of it yet",
	}
}

// begin starts the goroutines.
func (n *node) begin(p *endpoint) {
	ctx, cancel := context.WithCancel(context.Background())
	n.endpoint, n.cancel = p, cancel
	n.done.Go(func() { n.listen(ctx, p) })
	n.done.Go(func() { n.send(ctx, p) })
	if n.config.Lease > 0 {
		n.done.Go(func() { n.keepAlive(ctx, p) })
	}
}

// wake has the sender look.
func (n *node) wake() {
	select {
	case n.kick <- struct{}{}:
	default:
	}
}

// connected notes that the stream is there. It is called with what the daemon said
// of itself just before.
func (n *node) connected(
	p *endpoint, h *wire.Health, hello *wire.Hello, hangUp context.CancelCauseFunc,
) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.endpoint != p {
		return // the node has left the fleet
	}
	before := n.health
	n.up, n.since, n.why, n.health, n.hangUp = true, time.Now(), "", *h, hangUp
	n.failures, n.retryAt, n.pauseTo = 0, time.Time{}, time.Time{}
	n.unsure = hello.Start == n.start
	if hello.Start != n.start {
		n.start, n.rev = hello.Start, 0
		if before.Start != "" {
			n.restarted()
		}
	}
	for _, e := range n.entries {
		n.checkJournal(e)
	}
	if n.talk != nil && (len(n.talk.expect) > 0 || h.Journal != before.Journal) {
		// It may hang on what has just been given up, or be with another daemon.
		n.talk.cancel(errUnanswered)
		n.talk = nil
	}
	// What it has comes with the stream, which says what of it is ours.
	n.place()
	n.wake()
}

// restarted submits everything again to a daemon that is another process than
// before.
func (n *node) restarted() {
	for _, e := range n.entries {
		e.state.Rev = 0
		switch {
		case e.over || !e.owned && e.maybe == 0:
		case n.config.Ephemeral:
			n.loseSafely(e, "the daemon that ran it has ended, and it kept no journal")
		default:
			n.afresh(e)
		}
	}
}

// disconnected notes that the stream has ended.
func (n *node) disconnected(p *endpoint, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.endpoint != p {
		return
	}
	if n.up {
		n.since = time.Now()
	}
	n.up, n.why = false, err.Error()
	n.place()
	n.letGo()
	for _, e := range n.entries {
		if !e.running() {
			e.notify() // to report why
		}
	}
	n.wake() // to look for what can be given up
}

// capacity takes what the daemon says that it has.
func (n *node) capacity(c *wire.Capacity) {
	n.draining, n.trouble = c.Draining, c.Trouble
	taken := capacity.Resources{}
	for name, total := range c.Total {
		if t := total - c.Free[name] - c.Own[name]; t > 0 {
			taken[name] = t
		}
	}
	now := capacity.Node{Name: n.name, Total: c.Total, Taken: taken}
	if now.Name != n.known.Name || n.known.Unknown ||
		!maps.Equal(now.Total, n.known.Total) || !maps.Equal(now.Taken, n.known.Taken) {
		n.known = now
		n.allocator.SetNode(now)
	}
	n.place()
}

// place tells the allocator whether the node takes work. The allocator calls those
// who wait for room, who leave word and go.
func (n *node) place() {
	if n.endpoint == nil || n.known.Name == "" {
		return
	}
	if why := n.absence(); why != n.placed {
		n.placed = why
		n.allocator.Suspend(n.name, why)
	}
}

// absence says why the node takes no work. "": it does.
func (n *node) absence() string {
	switch {
	case !n.up:
		return fmt.Sprintf("not reached since %s: %s", n.since.Format(time.TimeOnly), n.why)
	case n.failures > 1:
		return fmt.Sprintf("%d requests in a row have failed: %s", n.failures, n.why)
	case n.draining:
		return "it is being drained"
	case n.trouble != "":
		return n.trouble
	case !n.pauseTo.IsZero():
		return n.pauseWhy
	}
	return ""
}

// pause has nothing new submitted for a while.
func (n *node) pause(d time.Duration, why string) {
	n.pauseTo, n.pauseWhy = time.Now().Add(d), why
	n.place()
}

// finished notes how a request went.
func (n *node) finished(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.note(err)
}

// note is finished with mu held. That something could be written says nothing: nil is
// for an answer.
func (n *node) note(err error) {
	if err == nil {
		if n.failures > 0 {
			n.failures, n.retryAt = 0, time.Time{}
			n.place()
		}
		return
	}
	n.failures++
	n.retryAt = time.Now().Add(n.backoff(n.failures))
	if n.up {
		n.why = err.Error()
	}
	n.place()
	e, answers := errors.AsType[*statusError](err)
	if n.up && (n.failures > 1 && !answers || answers && e.elsewhere()) {
		n.hangUp(err) // the stream may not have noticed yet
	}
	n.letGo()
}

// letGo has nobody wait for the acknowledgement of outcomes by a node that may not be
// there. It is acknowledged when it is.
func (n *node) letGo() {
	if n.up && n.failures == 0 {
		return
	}
	for _, a := range n.acks {
		a.told()
	}
}
