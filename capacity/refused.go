package capacity

import "fmt"

// A RefusedError says why a request was not satisfied. It describes the moment
// of the refusal. Free and Node look only at nodes that take work, Largest and
// Never also at those that will again: who are suspended, or unknown.
type RefusedError struct {
	// Resource is to blame: there is not enough of it on any node. "": each
	// resource is there, but not all of them on one node, or Held, or there is
	// no node.
	Resource string
	// Needs is the amount of Resource that was asked for.
	Needs int64
	// Free is the most of Resource that any node has free.
	Free int64
	// Largest is the most of Resource that any node has in total.
	Largest int64
	// Node is where the least is missing. "" if Never, or no node that takes work
	// is big enough.
	Node string
	// Held: it would fit on Node, but that is reserved for a request that has
	// been overtaken too often.
	Held bool
	// Never: no node is big enough, even when nothing is leased. Only a
	// change of the nodes can help.
	Never bool
	// Away is the first by name of the nodes that are big enough, or may be, but
	// take no work for now, Reason says why not, and Others is the number of
	// further ones. "": there are none.
	Away, Reason string
	Others       int

	d     *demand // immutable as far as it is read here
	nodes bool    // there are any
}

// Error explains the refusal in one line.
func (e *RefusedError) Error() string {
	if e.Away == "" {
		return e.here()
	}
	text := fmt.Sprintf("node %q takes none now (%s)", e.Away, e.Reason)
	if e.Others > 0 {
		text += fmt.Sprintf(", and %d more that may be big enough do not either", e.Others)
	}
	if e.Node == "" {
		return fmt.Sprintf("needs %s, and no node that takes work is big enough; %s", e.d, text)
	}
	return e.here() + "; " + text
}

// here explains it by the nodes that take work.
func (e *RefusedError) here() string {
	switch {
	case e.d == nil:
		return "capacity: refused"
	case e.Never && !e.nodes:
		return fmt.Sprintf("needs %s, and no node takes work", e.d)
	case e.Never && e.Resource != "" && e.Largest == 0:
		return fmt.Sprintf("needs %d %s, no node has any", e.Needs, e.Resource)
	case e.Never && e.Resource != "":
		return fmt.Sprintf("needs %d %s, the largest node has %d", e.Needs, e.Resource, e.Largest)
	case e.Never:
		return fmt.Sprintf("needs %s on one node, no node has that much of each", e.d)
	case e.Held:
		return fmt.Sprintf("needs %s, node %q has that free but reserved for a request "+
			"that has waited longer", e.d, e.Node)
	case e.Resource != "":
		return fmt.Sprintf("needs %d %s, at most %d are free (node %q)",
			e.Needs, e.Resource, e.Free, e.Node)
	}
	return fmt.Sprintf("needs %s on one node, each is free somewhere but not together; "+
		"node %q lacks the least", e.d, e.Node)
}

// refuse explains why d, which is resolved, does not fit.
func (l *ledger) refuse(d *demand) *RefusedError {
	if !d.possible {
		return l.refuseForEver(d)
	}
	e := &RefusedError{d: d, nodes: true}
	if l.away > 0 {
		l.noteAway(e)
		if !l.bigEnough(d) {
			return e
		}
	}
	for i := range d.needs {
		n := l.freest(d.needs[i].column)
		free := n.free(d.needs[i].column)
		if free < d.needs[i].amount {
			e.Resource, e.Needs, e.Largest = d.needs[i].name, d.needs[i].amount, d.needs[i].largest
			e.Free, e.Node = free, n.name
			return e
		}
	}
	n, lacks := l.nearest(d, false, nil)
	e.Node, e.Held = n.name, lacks.num == 0
	return e
}

func (l *ledger) refuseForEver(d *demand) *RefusedError {
	e := &RefusedError{d: d, Never: true}
	for row, open := range l.open {
		e.nodes = e.nodes || open || l.nodes[row].away
	}
	for i := range d.needs {
		if e.nodes && d.needs[i].largest < d.needs[i].amount {
			e.Resource, e.Needs, e.Largest = d.needs[i].name, d.needs[i].amount, d.needs[i].largest
			if n := l.freest(d.needs[i].column); n != nil {
				e.Free = n.free(d.needs[i].column)
			}
			break
		}
	}
	return e
}

// bigEnough reports whether d could ever fit on a node that takes work.
func (l *ledger) bigEnough(d *demand) bool {
	for row, n := range l.nodes {
		if l.open[row] && n.couldFit(d.needs) {
			return true
		}
	}
	return false
}

// noteAway names the nodes that could help and are away.
func (l *ledger) noteAway(e *RefusedError) {
	for row := 0; row < len(l.nodes); row++ {
		n := l.nodes[row]
		switch {
		case !n.away || !n.couldFit(e.d.needs):
		case e.Away == "":
			e.Away, e.Reason = n.name, n.absence()
		default:
			e.Others++
		}
	}
}

// absence says why a node that is away takes no work.
func (n *node) absence() string {
	if n.suspended != "" {
		return n.suspended
	}
	return "what it has is not known yet"
}

// free is what is neither leased nor taken, whether it is set aside or not.
func (n *node) free(column int) int64 {
	if column < 0 {
		return 0
	}
	return n.total[column] - n.taken[column] - n.used[column]
}

// freest returns the open node with the most free of a resource. Nil: none is.
func (l *ledger) freest(column int) *node {
	var winner *node
	for row, n := range l.nodes {
		if l.open[row] && (winner == nil || n.free(column) > winner.free(column)) {
			winner = n
		}
	}
	return winner
}
