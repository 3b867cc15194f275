package progress

import "github.com/daggy-go/daggy/runner"

// counts are numbers of instances by state.
type counts struct {
	completed, running, waiting, failed, killed, skipped int
}

// countsOf asks a run. It is called with the lock of the Display, which the run
// does not know.
func countsOf(h *runner.Handle) counts { return countsIn(h.Counts()) }

func countsIn(m map[runner.State]int) counts {
	return counts{
		completed: m[runner.Completed],
		running:   m[runner.Running],
		waiting:   m[runner.Waiting] + m[runner.Queued],
		failed:    m[runner.Failed],
		killed:    m[runner.Killed],
		skipped:   m[runner.Skipped],
	}
}

func (c *counts) add(o counts) {
	c.completed += o.completed
	c.running += o.running
	c.waiting += o.waiting
	c.failed += o.failed
	c.killed += o.killed
	c.skipped += o.skipped
}

func (c counts) total() int { return c.ended() + c.running + c.waiting }

func (c counts) ended() int { return c.completed + c.bad() }

// bad is what is over and did not complete.
func (c counts) bad() int { return c.failed + c.killed + c.skipped }
