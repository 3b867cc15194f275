package sim_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

// A call is a call of Run that has not returned. The goroutine that made it does
// what the driver tells it: reports, prints, returns.
type call struct {
	attempt
	engine  *engine
	pool    string
	key     string
	node    string
	resumed bool
	order   int // among all calls
	told    chan telling

	// What follows is guarded by the world's mu.
	cause error // with which its context has ended
	began bool  // the work of a local attempt has begun
	asked bool  // a node has been asked, perhaps in vain
	known bool  // the engine was told that it runs
	over  bool  // it was told to return
}

// A telling is what the driver tells a call.
type telling struct {
	status *executor.Status // to report; nil: return
	outcome
}

// An outcome is how work ends.
type outcome struct {
	result executor.Result
	err    error
	panics bool
	output string
}

// returned is what a call returned to its engine.
type returned struct {
	outcome
	cause error // with which its context had ended before
}

// wait is Run for all executors.
func (e *engine) wait(
	ctx context.Context, pool string, a *executor.Attempt,
) (executor.Result, error) {
	c := e.enter(ctx, pool, a)
	if c == nil {
		return executor.Result{}, errDead
	}
	done := ctx.Done()
	for {
		select {
		case t := <-c.told:
			if t.status != nil {
				a.Report(*t.status)
				continue
			}
			return e.leave(c, a, t.outcome)
		case <-done:
			done = nil
			e.ends(c, context.Cause(ctx))
		}
	}
}

// enter registers a call. It returns nil if the engine is dead.
func (e *engine) enter(ctx context.Context, pool string, a *executor.Attempt) *call {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.dead {
		return nil
	}
	e.arrived++
	c := &call{
		attempt: attempt{instance{a.Task, a.Index}, a.Number}, engine: e, pool: pool,
		key: a.Key, node: a.Node, resumed: a.Resumed, order: e.arrived,
		told: make(chan telling, 4),
	}
	if ctx.Err() != nil {
		c.cause = context.Cause(ctx)
	}
	e.calls = append(e.calls, c)
	e.say("engine %d: runs %v in %q on %q resumed=%v cause=%v",
		e.number, c.attempt, pool, c.node, c.resumed, c.cause)
	e.checkCall(c, a.Job.Resources[dag.Cores])
	return c
}

// ends notes that the context of a call has ended. What the call does about it is
// up to the driver.
func (e *engine) ends(c *call, cause error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c.over {
		return // which of the two it sees first is chance
	}
	e.say("engine %d: ends %v: %v", e.number, c.attempt, cause)
	c.cause = cause
	if e.fenced && c.pool != near && !errors.Is(cause, executor.ErrDetach) &&
		!errors.Is(cause, executor.ErrTimeLimit) {
		e.violated("L3: engine %d stops %v, which is another's: %w", e.number, c.attempt, cause)
	}
}

// detached reports whether the call of a durable executor is to leave its work
// alone.
func (c *call) detached() bool {
	return c.pool != near && errors.Is(c.cause, executor.ErrDetach)
}

// leave ends a call.
func (e *engine) leave(
	c *call, a *executor.Attempt, o outcome,
) (executor.Result, error) {
	e.mu.Lock()
	w := e.world
	w.calls = remove(w.calls, c)
	if !e.dead {
		e.returned[c.attempt] = returned{o, c.cause}
		e.vacate(c)
		w.say("engine %d: %v returns %v %v", e.number, c.attempt, o.result, o.err)
	}
	w.mu.Unlock()
	if o.panics {
		panic("sim: a function that panics")
	}
	if _, err := io.WriteString(a.Stdout, o.output); err != nil {
		return executor.Result{}, err
	}
	return o.result, o.err
}

// end has a call return, with mu held.
func (c *call) end(result executor.Result, err error) {
	c.finish(outcome{result: result, err: err})
}

func (c *call) finish(o outcome) {
	if !c.over {
		c.over = true
		c.told <- telling{outcome: o}
	}
}

// report has a call report a status, with mu held.
func (c *call) report(s executor.Status) {
	if !c.over && len(c.told) == 0 {
		c.told <- telling{status: &s}
	}
}

// sortedCalls returns calls in an order that does not depend on that in which
// goroutines came to make them.
func sortedCalls(calls []*call) []*call {
	return slices.SortedFunc(slices.Values(calls), func(a, b *call) int {
		return cmp.Or(cmp.Compare(a.engine.number, b.engine.number),
			a.compare(b.attempt), cmp.Compare(a.order, b.order))
	})
}

func sortedAppends(appends []*pendingAppend) []*pendingAppend {
	return slices.SortedFunc(slices.Values(appends), func(a, b *pendingAppend) int {
		return cmp.Or(cmp.Compare(a.engine.number, b.engine.number), cmp.Compare(a.after, b.after))
	})
}
