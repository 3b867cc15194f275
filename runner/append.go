package runner

import (
	"log/slog"
	"time"

	"github.com/daggy-go/daggy/runner/internal/plan"
)

// appended takes note of durable records.
func (e *engine) appended(seq uint64) {
	e.seq = seq
	if e.news != nil {
		close(e.news)
		e.news = nil
	}
}

// append is the goroutine that appends to a log which may take its time.
func (e *engine) append() {
	for range e.wake {
		e.mu.Lock()
		for e.plan.Pending() && e.logErr == nil {
			b := e.plan.Take()
			e.appendBatch(b)
			e.plan.Recycle(b)
		}
		e.setTimer()
		e.finishIfOver()
		e.mu.Unlock()
	}
}

func (e *engine) appendBatch(b plan.Batch) {
	if len(b.Records) > 0 {
		after := e.seq
		e.inFlight = len(b.Records)
		e.mu.Unlock()
		// The last records of a run outlive the end of its context (L5).
		seq, err := e.log.Append(e.appends, e.run, after, b.Records)
		e.mu.Lock()
		e.inFlight = 0
		if err != nil {
			e.logFailed(err, b.Actions)
			return
		}
		e.appended(seq)
	}
	e.perform(b.Actions)
	e.lease()
}

// logFailed stops the run: without its log it must not go on. What was to follow
// the records that were not appended is not done, except that what was to be
// stopped is: the plan does not ask for it again.
func (e *engine) logFailed(err error, actions []plan.Action) {
	e.logErr = err
	if e.cause == nil {
		e.cause = err
	}
	e.logger.Error("state log failed, the run stops",
		slog.String("run", e.run), slog.Any("err", err))
	e.plan.Interrupt(time.Now())
	b := e.plan.Take() // these records stay unrecorded
	for _, list := range [...][]plan.Action{actions, b.Actions} {
		for _, a := range list {
			if a.Kind == plan.Stop || a.Kind == plan.Close {
				e.performOne(a)
			}
		}
	}
	e.closing = true
	e.stopDeadline()
}
