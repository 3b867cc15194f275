package agent

import "context"

// mostIdle is how many goroutines wait for the next attempt, because that is cheaper
// than to start others.
const mostIdle = 64

// work is a call of the executor that somebody has to make.
type work struct {
	ctx context.Context //nolint:containedctx // it is handed over with the work
	c   *call
}

// employ has a goroutine make the call: one that is idle, or another. It does not
// wait. a.mu is held.
func (a *Agent) employ(w work) {
	a.running.Add(1)
	select {
	case a.works <- w:
	default:
		a.running.Add(1)
		go a.worker(w)
	}
}

// worker makes calls until there are enough who wait for more. An executor may end the
// goroutine; then others do that.
func (a *Agent) worker(w work) {
	defer a.running.Done()
	for {
		w.c.run(w.ctx)
		w = work{}
		if a.idlers.Add(1) > mostIdle {
			a.idlers.Add(-1)
			return
		}
		select {
		case w = <-a.works:
			a.idlers.Add(-1)
		case <-a.ending:
			a.idlers.Add(-1)
			return
		}
	}
}
