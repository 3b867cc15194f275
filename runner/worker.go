package runner

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/daggy-go/daggy/dag"
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
	if w.starting || w.ready.len() <= w.coming {
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
	e.mu.Lock()
	w.starting = false
	now := time.Now()
	var m arena
	for {
		a := e.take(w, &m)
		w.coming--
		if a == nil {
			e.dismiss(w)
			e.mu.Unlock()
			return
		}
		e.employ(w)
		e.mu.Unlock()
		now = e.execute(w, a, now, &m)
		if a.abandoned {
			e.mu.Unlock()
			return // the run is over without this worker
		}
		e.pump()
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
	result, err := a.call(w.executor)
	returned = true
	return e.conclude(w, a, result, err)
}

// replaceWorker is called when the executor called runtime.Goexit, with which
// this goroutine ends (R4).
func (e *engine) replaceWorker(w *workers, a *attempt) {
	e.conclude(w, a, executor.Result{}, &executor.PanicError{
		Value: "runtime.Goexit was called", Stack: debug.Stack(),
	})
	defer e.mu.Unlock()
	if a.abandoned {
		return
	}
	w.coming--
	e.pump()
	e.employ(w)
	e.dismiss(w)
}

// call runs the executor and makes an error of a panic.
func (a *attempt) call(ex executor.Executor) (result executor.Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &executor.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return ex.Run(a.ctx, &a.Attempt)
}

// conclude takes what the executor returned to the plan, and returns with mu
// held.
func (e *engine) conclude(
	w *workers, a *attempt, result executor.Result, err error,
) time.Time {
	end := time.Now()
	o := e.classify(a, result, err)
	o.Start = a.start
	a.end()
	if !o.NotStarted { // it will be handed over again, with its lease
		a.releaseLease() // a slot is free as soon as Run returned (L2)
	}
	var generated []dag.Task
	if o.Class == statelog.Success && a.generator {
		generated = e.readGenerator(a, &o)
	}
	e.outputs.keep(a)
	e.mu.Lock()
	a.taken = false
	if a.abandoned {
		return end
	}
	w.coming++
	if w.allocator != nil {
		e.askBlocked() // what this attempt held may be just enough
	}
	if generated != nil {
		e.splice(a, generated, &o)
	}
	e.plan.Finish(end, a.id, &o)
	if !e.plan.Paused(a.id) {
		e.forget(a)
	}
	return end
}

// classify says whose fault the end of an attempt was (E1, E3, E4, E7).
func (e *engine) classify(a *attempt, result executor.Result, err error) plan.Outcome {
	o := plan.Outcome{Class: statelog.Success}
	if err == nil && result.OK() {
		if !isZero(&result) {
			o.Result = heap(result)
		}
		return o
	}
	o.Result = heap(result)
	o.Reason = result.Message
	if err == nil {
		o.Class = statelog.Failure
		switch {
		case result.Cause == executor.CauseTime:
			o.Class = statelog.TimeLimit
		case result.Cause == executor.CauseMemory:
			o.Class = statelog.OutOfMemory
		case e.runner.TempFail && result.ExitCode == exitTempFail:
			o.Lost = true
			o.Reason = "exit code 75, a temporary failure"
		}
		return o
	}
	o.Reason = err.Error()
	o.Class = statelog.NotRun
	o.Permanent = executor.IsPermanent(err)
	if not, ok := errors.AsType[*executor.NotStartedError](err); ok {
		o.NotStarted, o.RetryAfter = true, not.RetryAfter
		return o
	}
	if _, ok := errors.AsType[*executor.LostError](err); ok {
		o.Lost = true
		return o
	}
	if p, ok := errors.AsType[*executor.PanicError](err); ok {
		o.Class = statelog.Panicked
		o.Reason = fmt.Sprintf("panic: %v\n%s", p.Value, p.Stack)
	}
	if errors.Is(context.Cause(a.ctx), executor.ErrTimeLimit) {
		o.Class = statelog.TimeLimit
	}
	return o
}

// heap keeps a result that says something. Most say nothing, and stay on the
// stack.
func heap(r executor.Result) *executor.Result { return &r }

// isZero reports whether a result says nothing that has to be recorded.
func isZero(r *executor.Result) bool {
	return r.ExitCode == 0 && r.Signal == "" && r.Cause == "" && r.Message == "" && r.Node == "" &&
		r.Start.IsZero() && r.End.IsZero() && r.UserCPU == 0 && r.SystemCPU == 0 &&
		r.MaxRSS == 0 && r.Left == nil && r.Unenforced == nil
}
