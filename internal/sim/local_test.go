package sim_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

// A localExecutor runs attempts that die with their engine.
type localExecutor struct{ *engine }

// Validate accepts every job.
func (l *localExecutor) Validate(dag.Job) error { return nil }

// Run waits for the driver.
func (l *localExecutor) Run(
	ctx context.Context, a *executor.Attempt,
) (executor.Result, error) {
	return l.wait(ctx, near, a)
}

// Reasons why something is not as it should be.
var (
	errNode = errors.New("sim: the node is gone")
	errRoom = errors.New("sim: there is no room")
	errWork = errors.New("sim: it cannot be run")
)

// stepLocal takes a call of a local executor one step further, with mu held.
func (w *world) stepLocal(c *call) {
	switch {
	case c.cause != nil && !c.began:
		c.end(executor.Result{}, fmt.Errorf("sim: not started: %w", c.cause))
	case c.cause != nil && w.strikes(stubborn):
		c.finish(w.outcome(c.attempt))
	case c.cause != nil:
		c.finish(stopped(c.cause))
	case !c.began && w.strikes(notStarted):
		c.end(executor.Result{}, w.refusal())
	case !c.began:
		c.began = true
		w.starts(c.attempt, c.engine)
	case w.strikes(lost):
		c.end(executor.Result{}, &executor.LostError{Err: errNode})
	default:
		c.finish(w.outcome(c.attempt))
	}
}

// refusal is an error after which the same attempt is run again.
func (w *world) refusal() error {
	return &executor.NotStartedError{
		RetryAfter: time.Duration(w.rnd.IntN(3)) * time.Second, Err: errRoom,
	}
}

// stopped is the end of work that was told to stop.
func stopped(cause error) outcome {
	o := outcome{result: executor.Result{ExitCode: -1, Signal: "SIGTERM"}}
	if errors.Is(cause, executor.ErrTimeLimit) {
		o.result.Cause = executor.CauseTime
	}
	return o
}

// outcome is how the scenario lets an attempt end that is left to itself.
func (w *world) outcome(a attempt) outcome {
	p := w.book.find(a.instance)
	if p != nil && p.all >= w.failures(a.instance) {
		return w.success(a)
	}
	switch w.hash("how", a.instance, a.number) % 6 {
	case 0:
		return outcome{err: errWork}
	case 1:
		return outcome{result: executor.Result{ExitCode: -1, Cause: executor.CauseMemory}}
	case 2:
		return outcome{panics: true}
	case 3:
		return outcome{result: executor.Result{Message: "it says why", ExitCode: 4}}
	}
	return outcome{result: executor.Result{ExitCode: 3}}
}

func (w *world) success(a attempt) outcome {
	var o outcome
	if w.hash("says", a.instance)%2 == 0 {
		o.result.MaxRSS = 1 << 20 // there is something to record
	}
	i := w.book.index(a.task)
	if i < 0 || !w.book.chapters[i].task.Generator {
		return o
	}
	o.output = w.output(a.instance)
	return o
}
