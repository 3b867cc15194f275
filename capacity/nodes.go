package capacity

// A Node is one place that has capacity: this machine, a remote runner.
type Node struct {
	// Name tells nodes apart, and the first by name wins ties. May be empty.
	Name string
	// Total is what there is, [MaxAmount] of each at most. Nil: nothing. A
	// resource that is not named is not there; a negative amount counts as 0.
	Total Resources
	// Taken is what others than this Allocator use of it: that is not free now,
	// but can be again. Nil: nothing.
	Taken Resources
	// Unknown: what it has is not known yet, so Total and Taken are not looked
	// at. It takes no work, and as long as it is there nothing is refused for
	// ever, because it may turn out to be big enough for anything.
	Unknown bool
}

// NodeInfo describes a node at one moment.
type NodeInfo struct {
	Name string
	// Total is what there is. It has no zeros, except for resources that are
	// leased all the same.
	Total Resources
	// Free is what is neither leased nor taken of each resource in Total. It is
	// negative where that is more than there is, see [Allocator.Restore].
	Free Resources
	// Taken is what others use. Nil: nothing.
	Taken Resources
	// Reserved is what is kept free, or will be when it gets free, for
	// requests that have been overtaken too often. Nil: nothing.
	Reserved Resources
	// Leases is their number.
	Leases int
	// Draining: nothing new is placed here.
	Draining bool
	// Suspended says why nothing new is placed here for now. "": it is not
	// suspended.
	Suspended string
	// Unknown: what it has is not known yet.
	Unknown bool
}

// SetNode adds a node, or gives the one of that name other amounts. Leases are
// not affected: if the node shrinks below what is leased, nothing is placed
// there until enough has been released. A node that drains or is suspended
// remains so.
func (a *Allocator) SetNode(n Node) {
	a.mu.Lock()
	row := a.book.node(n.Name)
	a.book.set(row, n)
	a.book.nodeChanged(row)
	a.unlock(true)
}

// Drain keeps new leases from a node and leaves those that it has alone. It
// reports whether there is such a node.
func (a *Allocator) Drain(name string) bool { return a.setDraining(name, true) }

// Undrain takes Drain back. It reports whether there is such a node.
func (a *Allocator) Undrain(name string) bool { return a.setDraining(name, false) }

func (a *Allocator) setDraining(name string, draining bool) bool {
	return a.change(name, func(n *node) { n.draining = draining })
}

// Suspend keeps new leases from a node for now, because of why, which refusals
// repeat. Unlike a draining node it is expected back: what only this node could
// satisfy has to wait, and is not refused for ever. It reports whether there is
// such a node. An empty why ends the suspension, like [Allocator.Resume].
func (a *Allocator) Suspend(name, why string) bool {
	return a.change(name, func(n *node) { n.suspended = why })
}

// Resume takes Suspend back. It reports whether there is such a node.
func (a *Allocator) Resume(name string) bool { return a.Suspend(name, "") }

// change alters the state of a node.
func (a *Allocator) change(name string, alter func(*node)) bool {
	a.mu.Lock()
	row, ok := a.book.find(name)
	if !ok || !a.book.nodes[row].present {
		a.mu.Unlock()
		return false
	}
	n := a.book.nodes[row]
	alter(n)
	a.book.changed(n)
	a.book.nodeChanged(n)
	a.unlock(true)
	return true
}

// Remove takes a node away. Its leases stay valid and are to be released as
// ever; if a node of that name comes back before that, they count there. It
// reports whether there was such a node.
func (a *Allocator) Remove(name string) bool {
	a.mu.Lock()
	row, ok := a.book.find(name)
	if !ok || !a.book.nodes[row].present {
		a.mu.Unlock()
		return false
	}
	n := a.book.nodes[row]
	a.book.retire(n)
	a.book.nodeChanged(n)
	a.book.tidy(n)
	a.unlock(true)
	return true
}

// Nodes describes all nodes, sorted by name. The result is the caller's.
func (a *Allocator) Nodes() []NodeInfo {
	a.mu.Lock()
	defer a.mu.Unlock()
	infos := make([]NodeInfo, 0, len(a.book.nodes))
	for _, n := range a.book.nodes {
		if n.present {
			infos = append(infos, a.book.info(n))
		}
	}
	return infos
}

func (l *ledger) info(n *node) NodeInfo {
	info := NodeInfo{
		Name:      n.name,
		Total:     Resources{},
		Free:      Resources{},
		Leases:    n.leases,
		Draining:  n.draining,
		Suspended: n.suspended,
		Unknown:   n.unknown,
	}
	note := func(to *Resources, name string, amount int64) {
		if amount > 0 && *to == nil {
			*to = Resources{}
		}
		if amount > 0 {
			(*to)[name] = amount
		}
	}
	for c, name := range l.names {
		if n.total[c] > 0 || n.used[c] > 0 || n.taken[c] > 0 {
			info.Total[name] = n.total[c]
			info.Free[name] = n.free(c)
		}
		note(&info.Taken, name, n.taken[c])
		note(&info.Reserved, name, n.held[c])
	}
	return info
}
