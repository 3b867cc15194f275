package capacity

// MaxOvertaken is how often a request in line may be overtaken (C3), by later
// ones in line and by those who do not stand in it, before a node is reserved
// for it. Each further MaxOvertaken times reserve one more node, as long as
// there is one, so that a lease that never ends cannot starve it either.
const MaxOvertaken = 64

// A book is the whole state of an Allocator: the ledger and the line of those
// who wait for room. Like the ledger it is plain data. It grants, but it
// creates no lease; it wakes by closing a channel that nobody else closes.
//
// Between two calls nobody in line whose ready is not nil fits anywhere.
type book struct {
	ledger

	first, last *waiter
	arrivals    uint64            // ever, in line
	barged      uint64            // placements made past the whole line
	shapes      map[string]*shape // of those in line, by demand.identity
	pass        uint64            // numbers the passes of serve
	lifted      uint64            // changes when there may be a new node to reserve
	freed       []*node           // what serve has still to look at
}

// A waiter is one place in line.
type waiter struct {
	d     *demand
	shape *shape
	ready chan struct{} // closed when node or err is set; nil: it asks by itself
	node  *node
	err   error

	prev, next *waiter
	queued     bool
	order      uint64 // of arrival
	passed     uint64 // overtaken by others in line
	barged     uint64 // book.barged when it joined
	held       []*node
	stuck      uint64 // shape.stuck of one that has reservations
}

// A shape is what equal demands in line have in common: if one of them does
// not fit, neither do those behind it.
type shape struct {
	waiting int
	failed  uint64 // the pass in which it did not fit
	stuck   uint64 // 1 + book.lifted when no node was left to reserve
}

// take places d at once if it fits. w is the place in line of who asks, and
// gets what is reserved for it; nil or not queued: it has none. It returns nil
// if d does not fit, and reports whether room was freed for others.
func (b *book) take(d *demand, w *waiter) (n *node, freed bool) {
	b.resolve(d)
	if !d.possible {
		return nil, false
	}
	if w != nil && w.queued {
		return b.takeQueued(w)
	}
	row := b.best(d)
	if row < 0 {
		return nil, false
	}
	n = b.nodes[row]
	b.place(n, d)
	if b.first != nil {
		b.barged++
		b.reserve()
	}
	return n, false
}

func (b *book) takeQueued(w *waiter) (n *node, freed bool) {
	// What is set aside for itself and for later ones is free for it.
	b.eachHoldFrom(w, b.putBack)
	row := b.best(w.d)
	b.eachHoldFrom(w, b.setAside)
	if row < 0 {
		return nil, false
	}
	n = b.nodes[row]
	freed = len(w.held) > 1 || len(w.held) == 1 && w.held[0] != n
	b.grant(w, n)
	b.serve()
	return n, freed
}

// eachHoldFrom calls f for all that is reserved for w and for those behind it.
func (b *book) eachHoldFrom(w *waiter, f func(*node, *demand)) {
	// Nobody behind the last who was overtaken too often has anything.
	for v := w; v != nil && b.overtaken(v) >= MaxOvertaken; v = v.next {
		for _, n := range v.held {
			f(n, v.d)
		}
	}
}

// release ends what d leased on n.
func (b *book) release(n *node, d *demand) {
	b.vacate(n, d)
	if b.first != nil {
		b.freed = append(b.freed, n)
		b.serve()
	}
}

// join puts w at the end of the line.
func (b *book) join(w *waiter) {
	key := w.d.identity()
	w.shape = b.shapes[key]
	if w.shape == nil {
		if b.shapes == nil {
			b.shapes = make(map[string]*shape)
		}
		w.shape = &shape{}
		b.shapes[key] = w.shape
	}
	w.shape.waiting++
	b.arrivals++
	w.queued, w.order, w.barged, w.passed = true, b.arrivals, b.barged, 0
	w.prev, w.next = b.last, nil
	if b.last == nil {
		b.first = w
	} else {
		b.last.next = w
	}
	b.last = w
}

// leave takes w out of the line, gives up what is reserved for it and reports
// whether that was anything.
func (b *book) leave(w *waiter) (freed bool) {
	if !w.queued {
		return false
	}
	freed = len(w.held) > 0
	b.unlink(w)
	b.reserve()
	b.serve()
	return freed
}

func (b *book) unlink(w *waiter) {
	if w.prev == nil {
		b.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		b.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next, w.queued = nil, nil, false
	if w.shape.waiting--; w.shape.waiting == 0 {
		delete(b.shapes, w.d.identity())
	}
	for len(w.held) > 0 {
		b.unreserve(w, len(w.held)-1)
	}
}
