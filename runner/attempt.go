package runner

import (
	"context"
	"errors"
	"time"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner/internal/plan"
	"github.com/daggy-go/daggy/statelog"
)

// attempt is an open attempt as the engine sees it. Attempts are used again
// when they are over, which their executors must reckon with, but their
// contexts are not.
type attempt struct {
	executor.Attempt
	engine *engine
	id     plan.ID
	task   int
	def    taskDef
	pool   *poolDef
	ctx    *attemptContext
	lease  *capacity.Lease
	start  time.Time
	limit  timeLimit
	stdout *stream
	stderr *stream

	// result and err are what the executor returned. A result that says nothing is
	// nil.
	result *executor.Result
	err    error

	generator bool
	plain     bool // there is nothing in Job but a command
	queued    bool // in the ring of its pool, and wanted
	// endFirst is why its executor gets a context that has ended already: it may
	// have been started by another engine, and has to be stopped (E5).
	endFirst  statelog.Class
	taken     bool // a worker has it
	abandoned bool // the run ended without it
}

// attempt returns the engine's side of an attempt that the plan has opened.
func (e *engine) attempt(id plan.ID) *attempt {
	for len(e.attempts) <= int(id) {
		e.attempts = append(e.attempts, nil)
	}
	a := e.attempts[id]
	if a == nil {
		if n := len(e.spare); n > 0 {
			a = e.spare[n-1]
			e.spare = e.spare[:n-1]
		} else {
			a = &attempt{engine: e}
			a.Run = e.run
			a.OnReport = a.report
			a.stdout = &stream{attempt: a}
			a.stderr = &stream{attempt: a, kind: Stderr}
		}
		a.id = id
		a.abandoned, a.Resumed, a.endFirst = false, false, statelog.Success
		e.attempts[id] = a
	}
	return a
}

// forget lets go of an attempt that the plan has closed.
func (e *engine) forget(a *attempt) {
	e.attempts[a.id] = nil
	e.outputs.letGo(a.task, a.Index, a.Number)
	e.returnLease(a) // of one that was not started and will not be handed over again
	if !a.queued {
		e.recycle(a)
	}
}

// returnLease gives back the lease of an attempt that no worker has.
func (e *engine) returnLease(a *attempt) {
	if lease := a.lease; lease != nil {
		a.lease = nil
		// Release calls everybody who waits for room, and mu is held here.
		e.watching.Go(lease.Release)
	}
}

func (e *engine) recycle(a *attempt) {
	// Job and Key stay: they are overwritten, and writing is what costs.
	a.ctx, a.result = nil, nil
	e.spare = append(e.spare, a)
}

// describe gives the attempt what whoever ends it has to find, and copies what
// its worker needs to know, with mu held.
func (a *attempt) describe(w *workers, m *arena) {
	e := a.engine
	a.ctx, a.pool = m.context(&e.ctx), w.poolDef
	if a.endFirst != statelog.Success {
		// What it is ended with depends on whose attempt it is by now.
		a.ctx.end(e.stopCause(a, a.endFirst))
	}
	p := e.plan.Open(a.id)
	a.task, a.Index, a.Number = p.Task, p.Instance, p.Number
	a.Node, a.Ref = p.Node, p.Ref
	a.Task = e.def.graph.Name(p.Task)
	a.def = e.def.tasks[p.Task]
	a.generator = a.def.more != nil && a.def.more.task.Generator
}

// prepare makes the attempt ready for its executor, without mu.
func (e *engine) prepare(w *workers, a *attempt, m *arena) {
	a.Key = m.key(e.key, a.task, a.Index, a.Number)
	a.PoolOptions = w.options
	a.Instance = a.Task
	if a.def.multiplied() {
		a.Instance = m.instanceName(a.Task, a.Index)
	}
	if a.def.more != nil {
		a.Job, a.plain = a.def.job(a.Index), false
	} else {
		if !a.plain { // else only the command is another
			a.Job, a.plain = dag.Job{}, true
		}
		a.Job.Command = a.def.command
	}
	e.outputs.open(a)
	if a.Job.TimeLimit > 0 {
		a.limit.start(a)
	}
}

// end is called when the executor has returned.
func (a *attempt) end() {
	if a.Job.TimeLimit > 0 {
		a.limit.stop()
	}
	a.ctx.end(context.Canceled)
}

// report takes what the executor says while the attempt runs.
func (a *attempt) report(s executor.Status) {
	if a.Job.TimeLimit > 0 {
		a.limit.report(a, s.Running)
	}
	if s.Running && s.Ref == "" && s.Node == "" && s.Reason == "" {
		return // that is what everybody assumes
	}
	e := a.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if !a.taken || a.abandoned {
		return
	}
	e.plan.Report(time.Now(), a.id, s)
	e.pump()
}

// stopAttempt ends an attempt for the reason given, or keeps it from starting.
func (e *engine) stopAttempt(id plan.ID, why statelog.Class) {
	a := e.attempt(id)
	switch {
	case a.taken:
		a.ctx.end(e.stopCause(a, why))
		return
	case a.Resumed:
		a.endFirst = why
		return
	}
	e.withdraw(a)
	e.plan.Withdraw(time.Now(), id)
}

// recallAttempt takes back an attempt, unless a worker has it or it may have been
// started by an engine before this one.
func (e *engine) recallAttempt(id plan.ID) {
	if a := e.attempt(id); !a.taken && !a.Resumed {
		e.withdraw(a)
		e.plan.Withdraw(time.Now(), id)
	}
}

// goesOn reports whether an attempt goes on with its executor without this
// engine: it stays open in the log (E2).
func (a *attempt) goesOn() bool {
	return a.err != nil && a.pool.durable && !isDefinite(a.err) &&
		errors.Is(context.Cause(a.ctx), executor.ErrDetach)
}

// endedByItself reports whether an attempt that is over was not asked to end. To
// let go of one is not to ask (E2): if its executor has a result all the same, it
// is the attempt's own.
func (a *attempt) endedByItself() bool {
	cause := context.Cause(a.ctx)
	return cause == nil || a.pool.durable && errors.Is(cause, executor.ErrDetach)
}

// isDefinite reports whether err says for certain that nothing runs.
func isDefinite(err error) bool {
	_, lost := errors.AsType[*executor.LostError](err)
	_, not := errors.AsType[*executor.NotStartedError](err)
	return lost || not
}

// withdraw takes back an attempt that no worker has.
func (e *engine) withdraw(a *attempt) {
	e.attempts[a.id] = nil
	if !a.queued {
		defer e.recycle(a)
	}
	a.queued = false
	p := e.plan.Open(a.id)
	e.outputs.letGo(p.Task, p.Instance, p.Number)
	e.returnLease(a)
}
