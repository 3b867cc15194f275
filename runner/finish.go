package runner

import (
	"context"
	"time"

	"github.com/daggy-go/daggy/statelog"
)

// interrupt ends the run so that it can go on later.
func (e *engine) interrupt(cause error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.interruptNow(cause)
}

// interruptNow is interrupt with mu held.
func (e *engine) interruptNow(cause error) {
	if e.closing || e.plan.Interrupted() {
		return
	}
	e.cause = cause
	e.plan.Interrupt(time.Now())
	e.stopTaken()
	e.pump()
	e.stopDeadline()
}

// stopTaken stops what executors have because of an interruption. The plan asks
// for it too, but its actions wait for the log, which need not know. What is
// durable waits all the same: it may be another engine's by now, as the log would
// say.
func (e *engine) stopTaken() {
	for _, a := range e.attempts {
		if a != nil && a.taken && !a.pool.durable {
			a.ctx.end(e.stopCause(a, statelog.Interrupted))
		}
	}
}

// finishIfOver ends the engine when the plan is done and all workers are gone.
func (e *engine) finishIfOver() {
	if !e.closing || e.over || e.running > 0 || e.logErr == nil && e.unrecorded() {
		return
	}
	e.over = true
	close(e.ended)
	if e.forgets != nil {
		close(e.forgets)
	}
	if e.closedAt.IsZero() {
		e.closedAt = time.Now() // it ends without its log
	}
	for _, t := range [...]*time.Timer{e.timer, e.deadline} {
		if t != nil {
			t.Stop()
		}
	}
	e.returnLeases()
	close(e.wake)
	if e.news != nil {
		close(e.news)
		e.news = nil
	}
	go e.finish()
}

// unrecorded reports whether there is something that is not durable yet.
func (e *engine) unrecorded() bool {
	return e.inFlight > 0 || e.refused != nil || e.plan.Pending()
}

// returnLeases gives back what attempts have that no worker ever got: those that
// were resumed, if the log did not take the records before their start.
func (e *engine) returnLeases() {
	for _, a := range e.attempts {
		if a != nil && !a.taken {
			e.returnLease(a)
		}
	}
}

// finish waits for the engine's own goroutines and lets go of what it holds.
func (e *engine) finish() {
	for i := len(e.cleanup) - 1; i >= 0; i-- {
		e.cleanup[i]()
	}
	e.stop(context.Canceled)
	e.watching.Wait()
	e.stopAppends(context.Canceled)
	e.mu.Lock()
	unlock := e.takeUnlock()
	e.mu.Unlock()
	unlock()
	e.runner.deactivate(e)
	close(e.finished)
}
