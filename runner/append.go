package runner

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/daggy-go/daggy/runner/internal/plan"
	"github.com/daggy-go/daggy/statelog"
)

// appended takes note of durable records.
func (e *engine) appended(seq uint64) {
	e.seq = seq
	if e.news != nil {
		close(e.news)
		e.news = nil
	}
}

// appendElsewhere leaves a batch that an immediate log did not take to the
// appender, and all that follow it too.
func (e *engine) appendElsewhere(b plan.Batch, err error) {
	e.inMemory, e.refused = false, &b
	e.doubtful = errors.Is(err, statelog.ErrAmbiguous)
	e.watching.Go(e.append)
	e.wakeAppender()
}

func (e *engine) wakeAppender() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// append is the goroutine that appends to a log which may take its time.
func (e *engine) append() {
	for range e.wake {
		e.mu.Lock()
		for e.logErr == nil && (e.refused != nil || e.plan.Pending()) {
			b := e.nextBatch()
			e.appendBatch(b)
			e.plan.Recycle(b)
		}
		e.setTimer()
		e.finishIfOver()
		e.mu.Unlock()
	}
}

func (e *engine) nextBatch() plan.Batch {
	if b := e.refused; b != nil {
		e.refused = nil
		return *b
	}
	return e.plan.Take()
}

func (e *engine) appendBatch(b plan.Batch) {
	if len(b.Records) > 0 {
		after := e.seq
		e.inFlight = len(b.Records)
		e.mu.Unlock()
		seq, err := e.store(after, b.Records)
		e.mu.Lock()
		e.inFlight = 0
		if err != nil {
			e.logFailed(err, b.Actions)
			return
		}
		e.appended(seq)
		e.forgetClosed(b.Records)
	}
	e.perform(b.Actions)
	e.lease()
}

// logFailed stops the run: without its log it must not go on. What was to follow
// the records that were not appended is not done, except that what was to be
// stopped is: the plan does not ask for it again. Durable executors let go, since
// what they run can still be recorded, by another engine (L3).
func (e *engine) logFailed(err error, actions []plan.Action) {
	e.logErr = err
	if e.cause == nil {
		e.cause = err
	} else {
		e.cause = fmt.Errorf("%w; %w", e.cause, err)
	}
	e.detaching = true
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
	if e.news != nil { // who waits for a record waits in vain
		close(e.news)
		e.news = nil
	}
}

// lost reports an error after which the log is not this engine's any more, or no
// log.
func lost(err error) bool {
	_, corrupt := errors.AsType[*statelog.CorruptError](err)
	return corrupt || errors.Is(err, statelog.ErrFenced) || errors.Is(err, statelog.ErrNoRun) ||
		errors.Is(err, statelog.ErrLogRewound) || errors.Is(err, statelog.ErrActive)
}
