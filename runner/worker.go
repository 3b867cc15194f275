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
	if e.engage(w) {
		go e.work(w)
	}
}

// engage reports whether one more worker is to start, and counts it.
func (e *engine) engage(w *workers) bool {
	if w.starting || w.ready.len() <= w.coming || w.slots >= 0 && w.count >= w.slots {
		return false
	}
	w.starting = true
	w.coming++
	w.count++
	e.running++
	return true
}

// work is what a new worker does.
func (e *engine) work(w *workers) {
	for again := true; again; {
		w.standBy(1)
		e.mu.Lock()
		w.starting = false
		again = e.serve(w, new(arena), e.clock.now())
	}
}

// serve runs attempts of a pool until none is ready. It is called with mu held, at
// the time at which the first can start. If it reports true, the goroutine that
// calls it is another worker from now on, who is to start.
func (e *engine) serve(w *workers, m *arena, now time.Time) bool {
	for {
		a := e.take(w, m)
		w.coming--
		if a == nil {
			e.dismiss(w)
			e.mu.Unlock()
			return false
		}
		again := false
		if w.durable {
			again = e.engage(w)
		} else {
			e.employ(w)
		}
		// This worker may have waited for mu, while the parents of what it now
		// starts ended.
		now = later(now, e.lastEnd)
		e.mu.Unlock()
		e.prepare(w, a, m)
		a.start = now
		if w.durable {
			e.attend(w, a, m.crowd)
			return again
		}
		if !e.execute(w, a) {
			return false
		}
		end := e.clock.now()
		m.took(end.Sub(now))
		if now = e.conclude(w, a, end, m); !e.carryOn(w, a, m) {
			return false
		}
	}
}

// carryOn does what follows from the end of an attempt. It is called with mu held,
// and returns with mu held, or false if the run is over without this worker.
func (e *engine) carryOn(w *workers, a *attempt, m *arena) bool {
	if a.abandoned {
		e.returned()
		return false
	}
	e.pump()
	if m.crowd >= crowded {
		e.stepAside(w, m)
	}
	return true
}

// attend has an attempt run on a goroutine that has done nothing before, which is
// the worker from then on. The attempts of durable executors last, and thousands of
// them may wait at a time. A stack on which one was prepared, or taken to the plan,
// has grown and does not shrink as far: each would have twice the memory. For the
// same reason the goroutine that calls attend is the next worker if one is to
// start: goroutines that end are used again, with stacks as large as is usual.
func (e *engine) attend(w *workers, a *attempt, crowd int) {
	go func() {
		if e.execute(w, a) {
			e.attended(w, a, crowd)
		}
	}()
}

// attended goes on as a worker. Its frame is not there while the attempt runs.
//
//go:noinline
func (e *engine) attended(w *workers, a *attempt, crowd int) {
	m := &arena{crowd: crowd}
	now := e.conclude(w, a, e.clock.now(), m)
	if e.carryOn(w, a, m) && e.serve(w, m, now) {
		e.work(w)
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

// execute runs an attempt that was prepared. All of it is in one frame, for that
// stays on the stack of whoever waits. It reports false if the executor panicked or
// called runtime.Goexit: then the attempt is over, and so is this worker.
func (e *engine) execute(w *workers, a *attempt) (returned bool) {
	defer func() {
		if !returned {
			e.replaceWorker(w, a, recover())
		}
	}()
	a.result, a.err = nil, nil
	a.receive(w.executor.Run(a.ctx, &a.Attempt))
	return true
}

// replaceWorker makes an error of a panic (R4). With runtime.Goexit this goroutine
// ends. It may have been called before a panic too: nobody can tell, and who
// recovers does not keep the goroutine.
func (e *engine) replaceWorker(w *workers, a *attempt, panicked any) {
	if panicked == nil {
		panicked = "runtime.Goexit was called"
	}
	a.err = &executor.PanicError{Value: panicked, Stack: debug.Stack()}
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

// receive takes what the executor returned. Few results say anything.
func (a *attempt) receive(result executor.Result, err error) {
	a.err = err
	if !isZero(&result) {
		kept := result
		a.result = &kept
	}
}

// conclude takes what the executor returned to the plan, and returns with mu
// held, and the time at which the attempt ended and the worker can start the
// next.
func (e *engine) conclude(w *workers, a *attempt, end time.Time, m *arena) time.Time {
	var o *plan.Outcome // nil: a success of which there is nothing to say
	var made *generated
	goesOn := a.goesOn()
	if a.err != nil || a.generator || a.result != nil {
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
	if o.Result = a.result; a.result != nil {
		o.Reason = a.result.Message
	}
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
	r := a.result
	switch {
	case r == nil, r.OK():
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
