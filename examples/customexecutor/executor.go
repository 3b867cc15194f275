package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

// Executor runs attempts on a [Farm]. These two methods are all that the library
// needs of one; package executor says what they promise, and the test has
// package executortest check that.
type Executor struct {
	Farm *Farm
	// Grace is how long a program that was asked to stop may take before its
	// power is cut.
	Grace time.Duration
}

// Validate reports every field of a job that a farm cannot use. It is called
// before anything starts, so what is refused here never surprises at night.
func (e *Executor) Validate(job dag.Job) error {
	var problems *multierror.Error
	refuse := func(format string, values ...any) {
		problems = multierror.Append(problems, fmt.Errorf("farm: "+format, values...))
	}
	switch {
	case job.CommandString != "":
		refuse("commandString: write it as a command")
	case len(job.Command) == 0:
		refuse("there is no command")
	case strings.Contains(job.Command[0], "{{"): // parameters are not yet put in
	case !e.Farm.Knows(job.Command[0]):
		refuse("there is no program %q", job.Command[0])
	}
	if job.WorkDir != "" {
		refuse("workDir: the machines have no file system of their own")
	}
	for name := range job.Resources {
		refuse("resource %q: an order takes a whole machine", name)
	}
	for name := range job.Options {
		refuse("option %q is unknown", name)
	}
	return problems.ErrorOrNil()
}

// Run has one attempt carried out, and returns when nothing of it is left (E1).
func (e *Executor) Run(ctx context.Context, a *executor.Attempt) (executor.Result, error) {
	if ctx.Err() != nil {
		return executor.Result{}, context.Cause(ctx)
	}
	ticket, err := e.Farm.Submit(Order{
		Words:  a.Job.Command,
		Env:    a.Environ(),
		Stdout: a.Stdout,
		Stderr: a.Stderr,
		// From now on the time limit counts (E7).
		OnStart: func() { a.Report(executor.Status{Running: true}) },
	})
	switch {
	case errors.Is(err, ErrQueueFull):
		// Nothing was started, and there will be room again (E4).
		return executor.Result{}, &executor.NotStartedError{Err: err}
	case errors.Is(err, ErrNoProgram):
		return executor.Result{}, executor.Permanent(err) // to try again is no use
	case err != nil:
		return executor.Result{}, err
	}
	a.Report(executor.Status{Ref: "ticket " + ticket.Number, Reason: "in the queue of the farm"})
	e.wait(ctx, ticket)
	return result(ctx, ticket)
}

// wait returns when the order is over. When ctx ends it sees to that: it asks,
// waits the grace time, and then does not ask any more (E2).
func (e *Executor) wait(ctx context.Context, t *Ticket) {
	select {
	case <-t.Done():
		return
	case <-ctx.Done():
	}
	t.Cancel()
	grace := time.NewTimer(e.Grace)
	defer grace.Stop()
	select {
	case <-t.Done():
	case <-grace.C:
		t.PowerOff()
		<-t.Done()
	}
}

// result puts how an order ended into the library's words.
func result(ctx context.Context, t *Ticket) (executor.Result, error) {
	code, err := t.Outcome()
	var crash *CrashError
	switch {
	case errors.Is(err, ErrBroken):
		// A promise: the program is gone, and the farm does not start it again
		// by itself. Not the task's fault (E3).
		return executor.Result{}, &executor.LostError{Err: err}
	case errors.As(err, &crash):
		return executor.Result{}, &executor.PanicError{Value: crash.Value, Stack: crash.Stack}
	case err != nil: // withdrawn; ctx says why
		return executor.Result{}, fmt.Errorf("%w: %w", err, context.Cause(ctx))
	}
	r := executor.Result{ExitCode: code}
	if !r.OK() && errors.Is(context.Cause(ctx), executor.ErrTimeLimit) {
		r.Cause = executor.CauseTime
	}
	return r, nil
}
