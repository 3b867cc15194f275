package remote

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/daggy-go/daggy/capacity"
)

// Add adds a node, or brings one back that was removed, once nothing is open there any
// more.
func (e *Executor) Add(n Node) error {
	p, err := newEndpoint(n, e.session)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return errClosed
	}
	if old := e.nodes[n.Name]; old != nil {
		if err := old.taken(); err != nil {
			return err
		}
	}
	e.sweep()
	e.add(n.Name, p)
	return nil
}

// taken is why no other node can have the name. Nil: one can.
func (n *node) taken() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.endpoint == nil:
		return nil
	case !n.removed:
		return fmt.Errorf("remote: there is a node called %q; remove it first", n.name)
	}
	return fmt.Errorf("remote: node %q was removed, and has not left yet (open attempts: %d,"+
		" acknowledgements to be made: %d); add it when it has", n.name,
		len(n.entries)+n.coming, len(n.acks))
}

// expect has the node stay until another attempt has joined it. It reports false if the
// attempt would be a new one, and there is no daemon to talk to.
func (n *node) expect(resumed bool) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.endpoint == nil && !resumed {
		return false
	}
	n.coming++
	return true
}

// empty reports whether nothing is open on the node, nor about to be. mu of the node is
// held.
func (n *node) empty() bool { return len(n.entries)+n.coming == 0 }

// add needs mu, except within New.
func (e *Executor) add(name string, p *endpoint) {
	n := e.nodes[name]
	if n == nil {
		n = newNode(e, name)
		e.nodes[name] = n
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.removed, n.gone, n.drained = false, false, false
	n.why = "nothing has been heard of it yet"
	n.known = capacity.Node{Name: name, Unknown: true}
	n.placed = ""
	e.allocator.SetNode(n.known)
	n.begin(p)
}

// Drain has nothing new placed on a node, until Undrain. What is there goes on. It
// reports whether there is such a node. This concerns this executor only; a daemon is
// drained for all by itself.
func (e *Executor) Drain(name string) bool { return e.setDrained(name, true) }

// Undrain takes Drain back.
func (e *Executor) Undrain(name string) bool { return e.setDrained(name, false) }

func (e *Executor) setDrained(name string, drained bool) bool {
	n := e.find(name)
	if n == nil {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.endpoint == nil || n.removed {
		return false
	}
	n.drained = drained
	if drained {
		return e.allocator.Drain(name)
	}
	return e.allocator.Undrain(name)
}

// Remove takes a node out of the fleet: nothing new is placed there, and when nothing
// is open on it any more it is forgotten. It reports whether there is such a node.
func (e *Executor) Remove(name string) bool {
	n := e.find(name)
	if n == nil {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.endpoint == nil {
		return false
	}
	n.removed = true
	e.allocator.Drain(name)
	n.maybeLeave()
	return true
}

// Gone is the caller's promise that a node's machine is off, or rebooted without its
// daemon, and stays so: whoever runs the machines knows. Nothing runs there any more
// and nothing will, so its attempts are lost at once, whatever OnUnreachable says. The
// node is removed, until it is added again. The executor need not know it: attempts
// that an engine before this one had there are lost too.
func (e *Executor) Gone(name string) {
	e.mu.Lock()
	n := e.nodes[name]
	if n == nil {
		n = newNode(e, name)
		e.nodes[name] = n
	}
	e.mu.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.removed, n.gone = true, true
	e.allocator.Drain(name)
	for _, entry := range n.entries {
		n.lose(entry, "it is gone")
	}
	for _, a := range n.acks {
		a.told()
	}
	n.acks = nil
	n.maybeLeave()
}

// maybeLeave takes a node out that was removed, when nothing is open there. mu of the
// node is held.
func (n *node) maybeLeave() {
	if !n.removed || n.endpoint == nil || !n.empty() || len(n.acks) > 0 {
		return
	}
	n.allocator.Remove(n.name)
	n.cancel()
	n.known, n.endpoint, n.up, n.why = capacity.Node{}, nil, false, "it was removed"
}

// sweep forgets nodes that are not in the fleet and have nothing open. mu is held.
func (e *Executor) sweep() {
	maps.DeleteFunc(e.nodes, func(_ string, n *node) bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.endpoint == nil && n.empty() && !n.gone
	})
	maps.DeleteFunc(e.kept, func(_ string, n *node) bool { return e.nodes[n.name] != n })
}

func (e *Executor) find(name string) *node {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.nodes[name]
}

// A NodeState is how a node fares.
type NodeState struct {
	Name string
	// Up: it can be reached.
	Up bool
	// Since when it is up, or is not.
	Since time.Time
	// Trouble says why nothing new is placed there now. "": something may be.
	Trouble string
	// Draining: by this executor, or all of them.
	Draining bool
	// Version of the daemon's library, if it said so.
	Version string
	// Total is what it has, Taken what others use of it.
	Total, Taken capacity.Resources
	// Open is how many attempts of this executor are there.
	Open int
}

// Nodes describes all nodes of the fleet, sorted by name.
func (e *Executor) Nodes() []NodeState {
	e.mu.Lock()
	nodes := slices.Collect(maps.Values(e.nodes))
	e.mu.Unlock()
	states := make([]NodeState, 0, len(nodes))
	for _, n := range nodes {
		n.mu.Lock()
		if n.endpoint != nil {
			states = append(states, NodeState{
				Name: n.name, Up: n.up, Since: n.since, Trouble: n.absence(),
				Draining: n.draining || n.drained || n.removed, Version: n.health.Version,
				Total: maps.Clone(n.known.Total), Taken: maps.Clone(n.known.Taken),
				Open: len(n.entries),
			})
		}
		n.mu.Unlock()
	}
	slices.SortFunc(states, func(a, b NodeState) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return states
}

// Await waits until every node could be reached once, or ctx ends; then the error
// names the nodes that could not, and why. A run does not need that: it waits for
// nodes by itself.
func (e *Executor) Await(ctx context.Context) error {
	news := make(chan struct{}, 1)
	defer e.allocator.Notify(func() {
		select {
		case news <- struct{}{}:
		default:
		}
	})()
	for {
		missing := e.missing()
		if missing == "" {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("remote: %s: %w", missing, context.Cause(ctx))
		}
	}
}

// missing names the nodes that were never heard of.
func (e *Executor) missing() string {
	text := ""
	for _, n := range e.Nodes() {
		if n.Total != nil {
			continue
		}
		if text != "" {
			text += "; "
		}
		text += fmt.Sprintf("node %q: %s", n.Name, n.Trouble)
	}
	return text
}
