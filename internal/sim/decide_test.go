package sim_test

import (
	"fmt"

	"github.com/daggy-go/daggy/statelog"
)

// foldDecided carries out a decision.
func (b *book) foldDecided(r *statelog.Record) error {
	if b.halting() && r.Decision != statelog.Abort {
		return fmt.Errorf("R10: %v while the run is being stopped for good", r.Decision)
	}
	switch r.Decision {
	case statelog.Abort:
		b.aborted = true
		b.giveUp()
		return nil
	case statelog.FailFast:
		b.failFast = true
		b.giveUp()
		return nil
	case statelog.Retry:
		b.retry(r.Task, r.Instance, r.All, map[int]bool{})
		return nil
	default: // it is about one task
	}
	if r.Task < 0 || r.Task >= len(b.chapters) {
		return fmt.Errorf("I6: %v of task %d, which is not there", r.Decision, r.Task)
	}
	c := &b.chapters[r.Task]
	whole := r.Instance == statelog.WholeTask
	if whole {
		c.held = r.Decision == statelog.Hold || c.held && r.Decision != statelog.Release
	}
	for k := range c.pages {
		if p := &c.pages[k]; whole || k == r.Instance {
			switch {
			case r.Decision == statelog.Kill && p.state == waiting:
				p.state = killed
			case r.Decision == statelog.Hold && !whole:
				p.held = true
			case r.Decision == statelog.Release:
				p.held = false
			}
		}
	}
	return nil
}

// giveUp makes failures of what failed and would be tried again.
func (b *book) giveUp() {
	for i := range b.chapters {
		for k := range b.chapters[i].pages {
			if p := &b.chapters[i].pages[k]; p.state == waiting && p.failures > 0 {
				p.state = failed
			}
		}
	}
}

// retry gives what did not complete another round of attempts, and what comes
// after it too if down.
func (b *book) retry(i, index int, down bool, seen map[int]bool) {
	if seen[i] {
		return
	}
	seen[i] = true
	for k := range b.chapters[i].pages {
		p := &b.chapters[i].pages[k]
		if (index == statelog.WholeTask || k == index) && (p.state == failed || p.state == killed) {
			p.state, p.failures, p.losses = waiting, 0, 0
		}
	}
	if !down {
		return
	}
	for c := range b.chapters {
		if b.chapters[c].parents[i] || b.edgeTooLate(i, c) {
			b.retry(c, statelog.WholeTask, true, seen)
		}
	}
}

// edgeTooLate reports whether there is an edge that has no effect on starts (D8).
// Downstream is downstream, all the same.
func (b *book) edgeTooLate(parent, child int) bool {
	c := &b.chapters[child]
	return c.lateParents[parent]
}
