package capacity

import (
	"cmp"
	"math/bits"
	"slices"
)

// A ledger is the arithmetic of capacity: what each node has, what is leased
// of it and what is set aside, and where a demand goes. It knows no lock, no
// goroutine and no waiting.
type ledger struct {
	names []string // of the columns: every resource a node ever had
	nodes []*node  // of the rows: sorted by name

	// The search reads these two only. They lie flat, because it walks over
	// all nodes at every question.
	room []int64 // len(nodes) rows of len(names): total - taken - used - held
	open []bool  // len(nodes): takes work

	away int // how many nodes are expected back, see node.away

	// era changes whenever the answer to "could any node ever" may.
	era uint64
}

// A node is one row. It outlives its removal while something is leased on it,
// because that still runs there, also if the node comes back.
type node struct {
	name      string
	row       int
	present   bool
	draining  bool
	suspended string
	unknown   bool
	away      bool // takes no work now, and counts for what could ever fit
	leases    int
	holds     []hold

	// By column. used and taken may exceed total (Restore, or a total that
	// shrank); held never does.
	total, taken, used, held []int64
}

// A hold is what is set aside for someone who waits, and the order of arrival.
type hold struct {
	order uint64
	d     *demand
}

// A fraction of two amounts. Its zero denominator is larger than any other.
type fraction struct{ num, den uint64 }

// less compares exactly: products of 64-bit amounts need 128 bits, and floats
// would make near ties depend on rounding.
func (f fraction) less(g fraction) bool {
	fHigh, fLow := bits.Mul64(f.num, g.den)
	gHigh, gLow := bits.Mul64(g.num, f.den)
	return fHigh < gHigh || fHigh == gHigh && fLow < gLow
}

// best returns the row where d fits with the least impact (C1), or -1.
func (l *ledger) best(d *demand) int {
	if len(d.needs) == 0 {
		return slices.Index(l.open, true)
	}
	width := len(l.names)
	winner, least := -1, fraction{1, 0}
	// Most nodes are out because of the first resource alone. That costs one
	// multiplication, as long as the other side of the comparison is kept.
	first, firstColumn := d.needs[0].amount, d.needs[0].column
	var barHigh, barLow uint64 // first * least.den
	for row, open := range l.open {
		room := l.room[row*width : (row+1)*width]
		free := room[firstColumn]
		if !open || first > free {
			continue
		}
		high, low := bits.Mul64(least.num, uint64(free))
		if high < barHigh || high == barHigh && low <= barLow {
			continue
		}
		if impact, ok := impactBelow(least, d.needs, room); ok {
			winner, least = row, impact
			barHigh, barLow = bits.Mul64(uint64(first), least.den)
		}
	}
	return winner
}

// impactBelow returns the impact of needs on a node with this room, unless
// they do not fit or it is not below the limit: ties go to the first.
func impactBelow(limit fraction, needs []need, room []int64) (fraction, bool) {
	impact := fraction{0, 1}
	for i := range needs {
		amount, free := needs[i].amount, room[needs[i].column]
		if amount > free {
			return impact, false
		}
		share := fraction{uint64(amount), uint64(free)}
		if !share.less(limit) {
			return impact, false
		}
		if impact.less(share) {
			impact = share
		}
	}
	return impact, true
}

// nearest returns the node that d lacks the least of, in proportion to the
// node's total, and how much that is, among those where it would fit if all
// leases ended. If aside, what is set aside is no more to be had than if it
// did not exist. Ties go to the first by name; nil if there is none.
func (l *ledger) nearest(d *demand, aside bool, not []*node) (*node, fraction) {
	var winner *node
	least := fraction{1, 0}
	for row, n := range l.nodes {
		if !l.open[row] || slices.Contains(not, n) {
			continue
		}
		if shortage, ok := n.shortage(d, aside); ok && shortage.less(least) {
			winner, least = n, shortage
		}
	}
	return winner, least
}

// shortage is the largest part of n's total that d lacks there, unless it
// could never fit.
func (n *node) shortage(d *demand, aside bool) (worst fraction, ok bool) {
	worst = fraction{0, 1}
	for i := range d.needs {
		c, missing := d.needs[i].column, d.needs[i].amount
		if aside {
			missing += n.held[c]
		}
		if missing > n.total[c] {
			return worst, false
		}
		missing -= n.free(c)
		if missing <= 0 {
			continue
		}
		if part := (fraction{uint64(missing), uint64(n.total[c])}); worst.less(part) {
			worst = part
		}
	}
	return worst, true
}

// fits reports whether d fits on n for who is in this place of the order: what
// is set aside for itself or for later ones is free for it.
func (l *ledger) fits(n *node, d *demand, order uint64) bool {
	if !l.open[n.row] {
		return false
	}
	for i := range d.needs {
		c := d.needs[i].column
		free := l.room[n.row*len(l.names)+c]
		for _, h := range n.holds {
			if h.order >= order {
				free += h.d.amount(c)
			}
		}
		if d.needs[i].amount > free {
			return false
		}
	}
	return true
}

// place leases d on n, whether it fits or not.
func (l *ledger) place(n *node, d *demand) {
	n.leases++
	for i := range d.needs {
		c, amount := d.needs[i].column, d.needs[i].amount
		n.used[c] += amount
		l.room[n.row*len(l.names)+c] -= amount
	}
}

// vacate is the reverse of place.
func (l *ledger) vacate(n *node, d *demand) {
	n.leases--
	for i := range d.needs {
		c, amount := d.needs[i].column, d.needs[i].amount
		n.used[c] -= amount
		l.room[n.row*len(l.names)+c] += amount
	}
	l.tidy(n)
}

// hold sets d aside on n: for those who are not in line, or later in it, that
// much is not free. What is missing to it is owed by whatever ends there next.
func (l *ledger) hold(n *node, d *demand, order uint64) {
	n.holds = append(n.holds, hold{order, d})
	l.setAside(n, d)
}

// lift is the reverse of hold.
func (l *ledger) lift(n *node, d *demand, order uint64) {
	n.holds = slices.DeleteFunc(n.holds, func(h hold) bool { return h.order == order })
	l.putBack(n, d)
}

func (l *ledger) setAside(n *node, d *demand) {
	for i := range d.needs {
		c, amount := d.needs[i].column, d.needs[i].amount
		n.held[c] += amount
		l.room[n.row*len(l.names)+c] -= amount
	}
}

func (l *ledger) putBack(n *node, d *demand) {
	for i := range d.needs {
		c, amount := d.needs[i].column, d.needs[i].amount
		n.held[c] -= amount
		l.room[n.row*len(l.names)+c] += amount
	}
}

// resolve brings d up to date with the nodes.
func (l *ledger) resolve(d *demand) {
	if d.asOf == l.era+1 { // a new demand is as of 0: never up to date
		return
	}
	d.asOf = l.era + 1
	for i := range d.needs {
		d.needs[i].column = slices.Index(l.names, d.needs[i].name)
		d.needs[i].largest = 0
	}
	d.possible = false
	for row, n := range l.nodes {
		if l.open[row] || n.away {
			d.possible = n.couldFit(d.needs) || d.possible
		}
	}
	if !d.possible {
		return
	}
	for i := range d.needs {
		if d.needs[i].column < 0 { // a node that is unknown may have some
			d.needs[i].column = l.column(d.needs[i].name)
		}
	}
}

// couldFit reports whether n is big enough for needs, or may be, and notes its
// totals.
func (n *node) couldFit(needs []need) bool {
	if n.unknown {
		return true
	}
	could := true
	for i := range needs {
		var total int64
		if c := needs[i].column; c >= 0 {
			total = n.total[c]
		}
		needs[i].largest = max(needs[i].largest, total)
		could = could && needs[i].amount <= total
	}
	return could
}

// find returns the row of a node by name, or where it belongs.
func (l *ledger) find(name string) (int, bool) {
	return slices.BinarySearchFunc(l.nodes, name, func(n *node, name string) int {
		return cmp.Compare(n.name, name)
	})
}
