package capacity

// A Lease is capacity of one node that is taken until it is released. All
// methods may be called concurrently, also when the node is gone.
type Lease struct {
	a        *Allocator
	node     *node
	d        *demand
	released bool // guarded by a.mu
}

// leaseSlab is how many leases are made at a time. Most live shortly, so this
// takes the larger part of what a lease costs off it; one that lives on keeps
// half a kilobyte.
const leaseSlab = 16

// lease records what has been placed. a.mu is held.
func (a *Allocator) lease(n *node, d *demand) *Lease {
	if len(a.slab) == 0 {
		a.slab = make([]Lease, leaseSlab)
	}
	l := &a.slab[0]
	a.slab = a.slab[1:]
	l.a, l.node, l.d = a, n, d
	return l
}

// Node is the name of the node.
func (l *Lease) Node() string { return l.node.name }

// Resources returns what is leased, as [Demand] has it. The map is the
// caller's to keep.
func (l *Lease) Resources() Resources { return l.d.resources() }

// Release gives the capacity back. Only the first call does anything.
func (l *Lease) Release() {
	a := l.a
	a.mu.Lock()
	if l.released {
		a.mu.Unlock()
		return
	}
	l.released = true
	a.book.release(l.node, l.d)
	a.unlock(true)
}
