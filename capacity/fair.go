package capacity

import "slices"

// What line.go keeps in order is served here, and kept from starving.

// serve gives the nodes in b.freed to those in line that fit there, first
// come, first served. Nobody fits on another node, or they would not wait.
func (b *book) serve() {
	for len(b.freed) > 0 {
		n := b.freed[len(b.freed)-1]
		b.freed = b.freed[:len(b.freed)-1]
		if n.row < 0 {
			continue
		}
		b.pass++
		failed := 0
		for w := b.first; w != nil && failed < len(b.shapes); {
			next := w.next
			switch {
			case w.shape.failed == b.pass:
				// As good as asked.
			case !b.fits(n, w.d, w.order):
				w.shape.failed = b.pass
				failed++
			case w.ready != nil:
				b.grant(w, n)
				close(w.ready)
			}
			w = next
		}
	}
}

// grant places w on n and takes it out of the line. Those ahead of it have
// been overtaken.
func (b *book) grant(w *waiter, n *node) {
	for v := b.first; v != w; v = v.next {
		v.passed++
	}
	b.unlink(w)
	b.place(n, w.d)
	w.node = n
	b.reserve()
}

// overtaken is how often somebody who came after w was placed. It never grows
// along the line, because whoever overtakes one overtakes all before it.
func (b *book) overtaken(w *waiter) uint64 {
	return w.passed + b.barged - w.barged
}

// reserve sets a node aside for everyone in line who has been overtaken too
// often since the last time.
func (b *book) reserve() {
	for w := b.first; w != nil && b.overtaken(w) >= MaxOvertaken; w = w.next {
		due := b.overtaken(w)/MaxOvertaken > uint64(len(w.held))
		if !due || w.stuck > b.lifted || len(w.held) == 0 && w.shape.stuck > b.lifted {
			continue
		}
		if n, _ := b.nearest(w.d, true, w.held); n != nil {
			b.hold(n, w.d, w.order)
			w.held = append(w.held, n)
			continue
		}
		// Nothing to be had until something is given up. Whoever has no node
		// yet speaks for all of its shape.
		w.stuck = b.lifted + 1
		if len(w.held) == 0 {
			w.shape.stuck = b.lifted + 1
		}
	}
}

// unreserve gives up the i-th node that is reserved for w.
func (b *book) unreserve(w *waiter, i int) {
	n := w.held[i]
	w.held = slices.Delete(w.held, i, i+1)
	b.lift(n, w.d, w.order)
	b.freed = append(b.freed, n)
	b.lifted++
}

// nodeChanged follows a change of n's total or state. What was reserved there
// is reserved anew where it is best now, and who cannot be satisfied any more
// is told so.
func (b *book) nodeChanged(n *node) {
	for w := b.first; w != nil; {
		next := w.next
		if i := slices.Index(w.held, n); i >= 0 {
			b.unreserve(w, i)
		}
		b.resolve(w.d)
		if !w.d.possible && w.ready != nil {
			w.err = b.refuse(w.d)
			b.unlink(w)
			close(w.ready)
		}
		w = next
	}
	b.lifted++
	b.freed = append(b.freed, n)
	b.reserve()
	b.serve()
}
