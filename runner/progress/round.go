package progress

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/daggy-go/daggy/runner"
)

// A round is what one block shows: from the start of a run, when none was
// active, until none is again. Display.mu guards the fields of its second half.
type round struct {
	follow    func(h *runner.Handle) // starts a follower
	leave     context.CancelFunc     // ends all of them
	followers sync.WaitGroup
	over      chan struct{} // closed when no run is left
	shown     chan struct{} // closed when that has been drawn

	start    time.Time
	end      time.Time // zero: it goes on
	active   []*runner.Handle
	past     counts // of the runs that are over
	outcomes map[runner.RunState]int
	running  attempts
	failures failures
	pace     pace
}

// begin starts a round, with mu held.
func (d *Display) begin(start time.Time) {
	ctx, leave := context.WithCancel(context.Background())
	r := &round{
		leave: leave,
		over:  make(chan struct{}), shown: make(chan struct{}),
		start: start, outcomes: map[runner.RunState]int{}, running: newAttempts(),
		failures: newFailures(d.config.Failed), pace: newPace(start),
	}
	r.follow = func(h *runner.Handle) {
		r.followers.Go(func() { d.ended(r, h, waitFor(ctx, h)) })
	}
	before := d.shown
	d.now, d.shown = r, r.shown
	go d.show(r, before)
}

// show is the goroutine of a round. It draws after the round before.
func (d *Display) show(r *round, before <-chan struct{}) {
	defer close(r.shown)
	defer r.leave() // lets go of the context
	if before != nil {
		<-before
	}
	if d.config.Mode == Live {
		d.showLive(r)
	} else {
		d.showLines(r)
	}
	r.followers.Wait()
}

// waitFor returns the last state of a run, or its state when ctx ends.
//
// The end of a run is not an event: one that is interrupted is not closed.
func waitFor(ctx context.Context, h *runner.Handle) *runner.Report {
	report, _ := h.Wait(ctx) // how it fared is in the report
	return report
}

// ended takes a run out of its round, which is over with the last one.
func (d *Display) ended(r *round, h *runner.Handle, report *runner.Report) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r.past.add(countsIn(report.Counts))
	r.outcomes[report.State]++
	r.running.removeAll(h)
	r.active = slices.DeleteFunc(r.active, func(a *runner.Handle) bool { return a == h })
	delete(d.rounds, h)
	d.last, d.lastIn = nil, nil
	if len(r.active) == 0 {
		r.end = time.Now()
		d.now = nil
		close(r.over)
	}
}
