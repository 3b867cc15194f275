package capacity

import (
	"fmt"
	"io/fs"
	"slices"
)

// LinuxResources is what Detect and DetectDaemon return on a Linux machine
// that says about itself what is in root.
func LinuxResources(root fs.FS, cpus int) (embedded, daemon Resources, err error) {
	m, err := linuxMachine(root, cpus)
	if err != nil {
		return nil, nil, err
	}
	return m.embedded(), m.daemon(), nil
}

// Audit checks what has to hold between any two calls.
func Audit(a *Allocator) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	b := &a.book
	away := 0
	for _, n := range b.nodes {
		if n.away {
			away++
		}
	}
	if away != b.away {
		return fmt.Errorf("%d nodes are away, not %d", away, b.away)
	}
	if len(b.freed) > 0 {
		return fmt.Errorf("%d nodes not served yet", len(b.freed))
	}
	for row, n := range b.nodes {
		if err := b.auditNode(row, n); err != nil {
			return fmt.Errorf("node %q: %w", n.name, err)
		}
	}
	return b.auditLine()
}

func (b *book) auditNode(row int, n *node) error {
	held := make([]int64, len(b.names))
	holds := 0
	for w := b.first; w != nil; w = w.next {
		if slices.Contains(w.held, n) {
			holds++
			for _, need := range w.d.needs {
				held[need.column] += need.amount
			}
		}
	}
	switch {
	case n.row != row:
		return fmt.Errorf("in row %d, not %d", row, n.row)
	case b.open[row] != (n.present && !n.draining && n.suspended == "" && !n.unknown):
		return fmt.Errorf("open: %v", b.open[row])
	case !n.present && n.leases == 0:
		return fmt.Errorf("not forgotten")
	case len(n.holds) != holds || !slices.Equal(n.held, held):
		return fmt.Errorf("%v holds of %v, the line has %d of %v", n.holds, n.held, holds, held)
	case holds > 0 && !b.open[row]:
		return fmt.Errorf("reserved, but takes no work")
	}
	for c, name := range b.names {
		if room := b.room[row*len(b.names)+c]; room != n.free(c)-n.held[c] {
			return fmt.Errorf("room for %d %s, of %d - %d - %d - %d",
				room, name, n.total[c], n.taken[c], n.used[c], n.held[c])
		}
		if n.held[c] > n.total[c] {
			return fmt.Errorf("%d %s reserved of %d", n.held[c], name, n.total[c])
		}
	}
	return nil
}

func (b *book) auditLine() error {
	waiting := map[*shape]int{}
	var before *waiter
	for w := b.first; w != nil; before, w = w, w.next {
		waiting[w.shape]++
		switch {
		case !w.queued || w.prev != before || b.shapes[w.d.identity()] != w.shape:
			return fmt.Errorf("line broken at %s", w.d)
		case before != nil && b.overtaken(before) < b.overtaken(w):
			return fmt.Errorf("%s is before %s, but less often overtaken", before.d, w.d)
		}
		for _, n := range b.nodes {
			if w.ready != nil && b.fits(n, w.d, w.order) {
				return fmt.Errorf("%s waits, but fits on %q", w.d, n.name)
			}
			_, could := n.shortage(w.d, true)
			due := b.overtaken(w)/MaxOvertaken > uint64(len(w.held))
			if due && could && b.open[n.row] && !slices.Contains(w.held, n) {
				return fmt.Errorf("%s should have %q reserved", w.d, n.name)
			}
		}
	}
	for _, s := range b.shapes {
		if s.waiting != waiting[s] {
			return fmt.Errorf("%d of a shape, not %d", waiting[s], s.waiting)
		}
	}
	if b.last != before || len(b.shapes) != len(waiting) {
		return fmt.Errorf("%d shapes in line, not %d", len(waiting), len(b.shapes))
	}
	return nil
}
