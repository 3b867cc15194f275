package progress

import (
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
)

// Observer returns what to put into [runner.Runner.Observers], of any number of
// Runners. Each of its functions takes constant time, whatever the size of the
// run.
func (d *Display) Observer() runner.Observer {
	if d.config.Mode == Off {
		return runner.Observer{}
	}
	return runner.Observer{
		RunStarted:      d.runStarted,
		AttemptStarting: d.attemptStarting,
		AttemptStarted:  d.attemptStarted,
		AttemptEnded:    d.attemptEnded,
	}
}

func (d *Display) runStarted(h *runner.Handle, ev runner.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.rounds[h] != nil {
		return
	}
	if d.now == nil {
		d.begin(ev.Time)
	}
	r := d.now
	if ev.Kind != statelog.Opened {
		r.pace.skip(countsOf(h).ended()) // what was done earlier says nothing of the pace
	}
	d.rounds[h] = r
	r.active = append(r.active, h)
	r.follow(h)
}

func (d *Display) attemptStarting(h *runner.Handle, ev runner.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.roundOf(h); r != nil {
		r.running.add(attemptKey{h, ev.Instance}, ev.Attempt, ev.Time)
	}
}

func (d *Display) attemptStarted(h *runner.Handle, ev runner.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.roundOf(h); r != nil {
		r.running.started(attemptKey{h, ev.Instance}, ev.Time)
	}
}

func (d *Display) attemptEnded(h *runner.Handle, ev runner.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.roundOf(h)
	if r == nil {
		return
	}
	r.running.remove(attemptKey{h, ev.Instance})
	if isFailure(&ev) {
		r.failures.add(&ev)
	}
}

// roundOf returns where a run is shown, or nil.
func (d *Display) roundOf(h *runner.Handle) *round {
	if d.last != h {
		d.last, d.lastIn = h, d.rounds[h]
	}
	return d.lastIn
}

// isFailure reports whether an attempt ended in a way that a person should know
// of. What was stopped on purpose was not a failure, nor what never started.
func isFailure(ev *runner.Event) bool {
	ended := ev.Kind == statelog.Done || ev.Kind == statelog.Lost
	onPurpose := ev.Class == statelog.Killed || ev.Class == statelog.Interrupted
	return ended && !onPurpose && ev.Class != statelog.Success
}
