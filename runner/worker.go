package runner

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner/internal/plan"
	"github.com/daggy-go/daggy/statelog"
)

// exitTempFail is EX_TEMPFAIL of sysexits.h: the user is invited to retry.
const exitTempFail = 75

// dispatch puts an attempt, whose intent is durable, where a worker takes it.
func (e *engine) dispatch(id plan.ID) {
	w := e.pools[e.def.pools.groups[e.plan.Open(id).Group].pool]
	a := e.attempt(id)
	a.queued = true
	w.ready.push(a)
	e.employ(w)
}

// employ starts one more worker if there is work that nobody is about to take.
// The new worker does the same, so that their number rises as fast as they get
// processor time, and no faster: functions that return at once are run by few
// workers, commands that block by as many as there are slots.
func (e *engine) employ(w *workers) {
	if w.starting || w.ready.len() <= w.coming || w.slots >= 0 && w.count >= w.slots {
		return
	}
	w.starting = true
	w.coming++
	w.count++
	e.running++
	go e.work(w)
}

// work runs attempts of a pool until none is ready.
func (e *engine) work(w *workers) {
	w.standBy(1)
	e.mu.Lock()
	w.starting = false
	var m arena
	now := e.clock.now()
	for {
		a := e.take(w, &m)
		w.coming--
		if a == nil {
			e.dismiss(w)
			e.mu.Unlock()
			return
		}
		e.employ(w)
		// This worker may have waited for mu, while the parents of what it now
		// starts ended.
		now = later(now, e.lastEnd)
		e.mu.Unlock()
		now = e.execute(w, a, now, &m)
		if a.abandoned {
			e.returned()
			return // the run is over without this worker
		}
		e.pump()
		if m.crowd >= crowded {
			e.stepAside(w, &m)
		}
	}
}

// dismiss counts a worker that ends.
func (e *engine) dismiss(w *workers) {
	w.count--
	e.running--
	e.finishIfOver()
}

// take returns the next attempt that is still wanted.
func (e *engine) take(w *workers, m *arena) *attempt {
	for {
		a := w.ready.pop()
		if a == nil {
			return nil
		}
		if a.queued { // else it was withdrawn
			a.queued, a.taken = false, true
			w.taken.Add(1)
			e.plan.Running(a.id)
			a.describe(w, m)
			return a
		}
		e.recycle(a)
	}
}

// execute runs an attempt and tells the plan how it ended. It returns with mu
// held, and the time at which it ended and the worker can start the next.
func (e *engine) execute(w *workers, a *attempt, start time.Time, m *arena) time.Time {
	e.prepare(w, a, m)
	a.start = start
	returned := false
	defer func() {
		if !returned {
			e.replaceWorker(w, a)
		}
	}()
	a.call(w.executor)
	returned = true
	return e.conclude(w, a, e.clock.now(), m)
}

// replaceWorker is called when the executor called runtime.Goexit, with which
// this goroutine ends (R4).
func (e *engine) replaceWorker(w *workers, a *attempt) {
	a.err = &executor.PanicError{Value: "runtime.Goexit was called", Stack: debug.Stack()}
	e.conclude(w, a, e.clock.now(), new(arena))
	if a.abandoned {
		e.returned()
		return
	}
	defer e.mu.Unlock()
	w.coming--
	w.count--
	e.running--
	e.employ(w)
	e.pump()
}

// call runs the executor and makes an error of a panic.
func (a *attempt) call(ex executor.Executor) {
	defer func() {
		if v := recover(); v != nil {
			a.err = &executor.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	a.result, a.err = executor.Result{}, nil
	a.result, a.err = ex.Run(a.ctx, &a.Attempt)
}

// conclude takes what the executor returned to the plan, and returns with mu
// held.
func (e *engine) conclude(w *workers, a *attempt, end time.Time, m *arena) time.Time {
	var o *plan.Outcome // nil: a success of which there is nothing to say
	var made *generated
	goesOn := a.goesOn()
	if a.err != nil || a.generator || !isZero(&a.result) {
		o, made = e.outcome(a)
	}
	a.end()
	e.outputs.keep(a)
	e.meet(m)
	e.lastEnd = later(end, e.lastEnd)
	a.taken = false
	lease := a.lease
	if a.abandoned {
		a.lease = nil
		e.release(lease)
		return end
	}
	w.coming++
	switch {
	case goesOn:
		e.plan.Abandon(a.id)
		e.plan.Tick(end)
	case o == nil:
		e.plan.Succeed(end, a.id, a.start)
	case made != nil:
		e.splice(a, made, o)
		fallthrough
	default:
		e.plan.Finish(end, a.id, o)
		if e.plan.Paused(a.id) {
			a.Resumed = false // nothing of it runs, for certain (E4)
			return end        // it is handed over again, with its lease
		}
	}
	a.lease = nil
	e.forget(a)
	e.release(lease)
	return end
}

// outcome says how an attempt ended, and what it generated.
func (e *engine) outcome(a *attempt) (*plan.Outcome, *generated) {
	o := &plan.Outcome{Class: statelog.Success, Start: a.start, Own: a.endedByItself()}
	e.classify(a, o)
	if o.Class == statelog.Success && a.generator {
		return o, e.readGenerator(a, o)
	}
	return o, nil
}

// classify says whose fault the end of an attempt was (E1, E3, E4, E7).
func (e *engine) classify(a *attempt, o *plan.Outcome) {
	if result := a.result; !isZero(&result) {
		o.Result = &result
	}
	o.Reason = a.result.Message
	if a.err == nil {
		e.classifyResult(a, o)
		return
	}
	o.Reason = a.err.Error()
	o.Class = statelog.NotRun
	o.Permanent = executor.IsPermanent(a.err)
	if not, ok := errors.AsType[*executor.NotStartedError](a.err); ok {
		o.NotStarted, o.RetryAfter = true, not.RetryAfter
		return
	}
	if _, ok := errors.AsType[*executor.LostError](a.err); ok {
		o.Lost = true
		return
	}
	if p, ok := errors.AsType[*executor.PanicError](a.err); ok {
		o.Class = statelog.Panicked
		o.Reason = fmt.Sprintf("panic: %v\n%s", p.Value, p.Stack)
	}
	if errors.Is(context.Cause(a.ctx), executor.ErrTimeLimit) {
		o.Class = statelog.TimeLimit
	}
}

func (e *engine) classifyResult(a *attempt, o *plan.Outcome) {
	r := &a.result
	switch {
	case r.OK():
	case r.Cause == executor.CauseTime, errors.Is(context.Cause(a.ctx), executor.ErrTimeLimit):
		o.Class = statelog.TimeLimit
	case r.Cause == executor.CauseMemory:
		o.Class = statelog.OutOfMemory
	default:
		o.Class = statelog.Failure
		if e.runner.TempFail && r.ExitCode == exitTempFail {
			o.Lost, o.Reason = true, "exit code 75, a temporary failure"
		}
	}
}

// isZero reports whether a result says nothing that has to be recorded.
func isZero(r *executor.Result) bool {
	return r.ExitCode == 0 && r.Signal == "" && r.Cause == "" && r.Message == "" && r.Node == "" &&
		r.Start.IsZero() && r.End.IsZero() && r.UserCPU == 0 && r.SystemCPU == 0 &&
		r.MaxRSS == 0 && r.Left == nil && r.Unenforced == nil
}
