package capacity

import "slices"

// Nodes and resource names come and go here; ledger.go has what happens on
// them. Everything here costs time in proportion to the number of nodes.

// node returns the node of that name and makes an absent one if there is none.
func (l *ledger) node(name string) *node {
	row, ok := l.find(name)
	if ok {
		return l.nodes[row]
	}
	width := len(l.names)
	n := &node{
		name:  name,
		total: make([]int64, width),
		taken: make([]int64, width),
		used:  make([]int64, width),
		held:  make([]int64, width),
	}
	l.nodes = slices.Insert(l.nodes, row, n)
	l.open = slices.Insert(l.open, row, false)
	l.room = slices.Insert(l.room, row*width, make([]int64, width)...)
	l.number(row)
	return n
}

func (l *ledger) drop(n *node) {
	width := len(l.names)
	l.nodes = slices.Delete(l.nodes, n.row, n.row+1)
	l.open = slices.Delete(l.open, n.row, n.row+1)
	l.room = slices.Delete(l.room, n.row*width, (n.row+1)*width)
	l.number(n.row)
	n.row = -1
}

func (l *ledger) number(from int) {
	for row := from; row < len(l.nodes); row++ {
		l.nodes[row].row = row
	}
}

// set makes n present with these amounts.
func (l *ledger) set(n *node, to Node) {
	if to.Unknown {
		to.Total, to.Taken = nil, nil
	}
	for name := range to.Total {
		l.column(name)
	}
	for name := range to.Taken {
		l.column(name)
	}
	for c, name := range l.names {
		n.total[c] = min(max(to.Total[name], 0), MaxAmount)
		n.taken[c] = min(max(to.Taken[name], 0), MaxAmount)
		l.room[n.row*len(l.names)+c] = n.free(c) - n.held[c]
	}
	n.present, n.unknown = true, to.Unknown
	l.changed(n)
}

// retire makes n absent. tidy has to follow when nothing refers to n.
func (l *ledger) retire(n *node) {
	l.set(n, Node{})
	n.present, n.draining, n.suspended = false, false, ""
	l.changed(n)
}

// tidy forgets a node that is absent and on which nothing is leased.
func (l *ledger) tidy(n *node) {
	if !n.present && n.leases == 0 {
		l.drop(n)
	}
}

// changed has to follow every change of who takes work or of how big they are.
func (l *ledger) changed(n *node) {
	if n.away {
		l.away--
	}
	takes := n.present && !n.draining
	n.away = takes && (n.unknown || n.suspended != "")
	if n.away {
		l.away++
	}
	l.open[n.row] = takes && !n.away
	l.era++
}

// column returns the column of a resource and adds one if there is none.
func (l *ledger) column(name string) int {
	if c := slices.Index(l.names, name); c >= 0 {
		return c
	}
	width := len(l.names)
	l.names = append(l.names, name)
	room := make([]int64, 0, len(l.nodes)*(width+1))
	for row, n := range l.nodes {
		room = append(append(room, l.room[row*width:(row+1)*width]...), 0)
		n.total = append(n.total, 0)
		n.taken = append(n.taken, 0)
		n.used = append(n.used, 0)
		n.held = append(n.held, 0)
	}
	l.room = room
	return width
}
