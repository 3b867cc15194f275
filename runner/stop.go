package runner

import (
	"log/slog"
	"time"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner/internal/plan"
	"github.com/daggy-go/daggy/statelog"
)

const defaultStopTimeout = time.Minute

// detach interrupts the run and has durable executors let go.
func (e *engine) detach() {
	e.mu.Lock()
	e.detaching = true
	e.mu.Unlock()
	e.interrupt(ErrInterrupted)
}

// stopCause is what ends the context of an attempt.
func (e *engine) stopCause(a *attempt, why statelog.Class) error {
	pool := e.poolOf(a.id)
	switch {
	case e.logErr != nil && pool.durable:
		// Why it is to be stopped may not be recorded, and the attempt may be
		// another engine's by now (R10, L3).
		return executor.ErrDetach
	case why == statelog.Poison:
		return errPoison
	case why != statelog.Interrupted:
		return errKilled
	case e.detaching && pool.durable:
		return executor.ErrDetach
	}
	return errInterrupted
}

// stopDeadline bounds how long the end of the run waits for executors and for
// the log. It is called with mu held.
func (e *engine) stopDeadline() {
	timeout := e.stopTimeout()
	if timeout < 0 || e.deadline != nil || e.over {
		return
	}
	e.deadline = time.AfterFunc(timeout, e.abandon)
}

// stopTimeout is negative if there is no bound.
func (e *engine) stopTimeout() time.Duration {
	if e.runner.StopTimeout == 0 {
		return defaultStopTimeout
	}
	return e.runner.StopTimeout
}

// abandon ends the run without the attempts whose executors do not return (R5).
// Their workers are not waited for, and what they return is dropped.
func (e *engine) abandon() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return
	}
	if !e.plan.Interrupted() {
		e.plan.Interrupt(time.Now())
		e.cause = ErrStillRunning
	}
	var ids []plan.ID
	for id := range e.plan.Opens {
		if int(id) >= len(e.attempts) {
			continue // its intent is not durable, so nobody has it
		}
		if a := e.attempts[id]; a != nil && (a.taken || a.Resumed) {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		if a := e.attempts[id]; a.taken {
			e.abandonTaken(a)
		} else {
			e.withdraw(a) // it waits for workers that do not come back
		}
		e.plan.Abandon(id)
	}
	e.logger.Error("executors did not return",
		slog.String("run", e.run), slog.Int("attempts", len(ids)))
	e.plan.Tick(time.Now())
	e.pump()
	e.boundAppends()
}

// abandonTaken gives up an attempt whose executor does not return. It may not have
// been told to: that waits for the log. As the attempt stays open there, durable
// executors leave it to the next engine.
func (e *engine) abandonTaken(a *attempt) {
	a.abandoned = true
	if a.pool.durable {
		a.ctx.end(executor.ErrDetach)
	} else {
		a.ctx.end(errInterrupted)
	}
	e.outputs.letGo(a.task, a.Index, a.Number)
	e.left = append(e.left, e.def.instanceName(a.task, a.Index))
	e.attempts[a.id] = nil
	e.running--
	e.unwaited++
}

// boundAppends has the log's turn to be waited for end: what it has not taken
// when as much time has passed again stays unrecorded (L5).
func (e *engine) boundAppends() {
	if e.over {
		return
	}
	e.deadline = time.AfterFunc(e.stopTimeout(), func() { e.stopAppends(ErrStillRunning) })
}
