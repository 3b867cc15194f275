package capacity

import (
	"fmt"
	"slices"
	"strings"
)

// maxExplained bounds how many nodes [Allocator.Explain] names.
const maxExplained = 8

// Explain says of each node how it stands with regard to req, in one line for
// people: what is free of what is asked for, or why it takes no work. Those that
// could ever fit come first, then it goes by name; at most 8 are named. "": there
// are no nodes, or req is no request.
func (a *Allocator) Explain(req Resources) string {
	d, err := newDemand(req)
	if err != nil {
		return ""
	}
	nodes := a.Nodes()
	slices.SortStableFunc(nodes, func(x, y NodeInfo) int { return x.rank(d) - y.rank(d) })
	var b strings.Builder
	for i, n := range nodes {
		if i == maxExplained {
			fmt.Fprintf(&b, "; and %d more", len(nodes)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		n.explain(&b, d)
	}
	return b.String()
}

// rank is smaller for nodes that are closer to taking d.
func (n *NodeInfo) rank(d *demand) int {
	rank := 0
	for i := range d.needs {
		if !n.Unknown && n.Total[d.needs[i].name] < d.needs[i].amount {
			rank = 4
		}
	}
	switch {
	case n.Draining:
		return rank + 3
	case n.Unknown:
		return rank + 2
	case n.Suspended != "":
		return rank + 1
	}
	return rank
}

func (n *NodeInfo) explain(b *strings.Builder, d *demand) {
	fmt.Fprintf(b, "%q ", n.Name)
	switch {
	case n.Draining:
		b.WriteString("drains")
		return
	case n.Suspended != "":
		fmt.Fprintf(b, "takes none now (%s)", n.Suspended)
		return
	case n.Unknown:
		b.WriteString("has not said yet what it has")
		return
	}
	b.WriteString("has ")
	for i := range d.needs {
		name := d.needs[i].name
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(b, "%d of %d %s free", max(n.free(name), 0), n.Total[name], name)
	}
	if len(d.needs) == 0 {
		b.WriteString("room")
	}
}

// free is what a request could have of a resource.
func (n *NodeInfo) free(name string) int64 { return n.Free[name] - n.Reserved[name] }
