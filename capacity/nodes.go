package capacity

// A Node is one place that has capacity: this machine, a remote runner.
type Node struct {
	// Name tells nodes apart, and the first by name wins ties. May be empty.
	Name string
	// Total is what there is, [MaxAmount] of each at most. Nil: nothing. A
	// resource that is not named is not there; a negative amount counts as 0.
	Total Resources
}

// NodeInfo describes a node at one moment.
type NodeInfo struct {
	Name string
	// Total is what there is. It has no zeros, except for resources that are
	// leased all the same.
	Total Resources
	// Free is what is not leased of each resource in Total. It is negative
	// where more is leased than there is, see [Allocator.Restore].
	Free Resources
	// Reserved is what is kept free, or will be when it gets free, for
	// requests that have been overtaken too often. Nil: nothing.
	Reserved Resources
	// Leases is their number.
	Leases int
	// Draining: nothing new is placed here.
	Draining bool
}

// SetNode adds a node, or gives the one of that name another total. Leases are
// not affected: if the node shrinks below what is leased, nothing is placed
// there until enough has been released. A draining node goes on draining.
func (a *Allocator) SetNode(n Node) {
	a.mu.Lock()
	row := a.book.node(n.Name)
	a.book.setTotal(row, n.Total)
	a.book.nodeChanged(row)
	a.unlock(true)
}

// Drain keeps new leases from a node and leaves those that it has alone. It
// reports whether there is such a node.
func (a *Allocator) Drain(name string) bool { return a.setDraining(name, true) }

// Undrain takes Drain back. It reports whether there is such a node.
func (a *Allocator) Undrain(name string) bool { return a.setDraining(name, false) }

func (a *Allocator) setDraining(name string, draining bool) bool {
	a.mu.Lock()
	row, ok := a.book.find(name)
	if !ok || !a.book.nodes[row].present {
		a.mu.Unlock()
		return false
	}
	n := a.book.nodes[row]
	n.draining = draining
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
		Name:     n.name,
		Total:    Resources{},
		Free:     Resources{},
		Leases:   n.leases,
		Draining: n.draining,
	}
	for c, name := range l.names {
		if n.total[c] > 0 || n.used[c] > 0 {
			info.Total[name] = n.total[c]
			info.Free[name] = n.total[c] - n.used[c]
		}
		if n.held[c] > 0 {
			if info.Reserved == nil {
				info.Reserved = Resources{}
			}
			info.Reserved[name] = n.held[c]
		}
	}
	return info
}
