package agent

import "time"

// A write to a client costs several changes of context until what was submitted in
// answer to it has begun: ten times what else there is to be done for an attempt. So
// while many attempts are open, a stream waits after a write until some have ended,
// for gatherTime at most. A slot that is empty meanwhile is one of many.
const (
	gatherTime = 10 * time.Millisecond
	gatherPart = 16 // of the attempts that are open, one
	// leastUnpaid and mostUnpaid are for how many writes nothing is gathered after
	// that was for nothing, as when each attempt waits for the one before.
	leastUnpaid, mostUnpaid = 16, 1024
)

// gathering is what a stream waits for. Agent.mu guards it.
type gathering struct {
	news   int // changes since the last write that a client acts on
	enough int // for so many it is woken
	unpaid int // writes until it gathers again
	pause  int // what unpaid begins with the next time
}

// collected is told that what is new is about to be written, while so many attempts
// are open. Timely: gatherTime is not over.
func (g *gathering) collected(open int, timely bool) {
	switch {
	case g.enough > 1 && g.news >= g.enough:
		g.pause = 0
	case g.enough > 1 && !timely:
		g.pause = min(max(2*g.pause, leastUnpaid), mostUnpaid)
		g.unpaid = g.pause
	case g.news > 0 && g.unpaid > 0:
		g.unpaid--
	}
	news, part := g.news, open/gatherPart
	g.news, g.enough = 0, 1
	// Where more than that comes by itself, to wait for it would only cost time.
	if news > 0 && news <= 2*part && g.unpaid == 0 {
		g.enough = max(1, part)
	}
}
