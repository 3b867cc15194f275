package runner

import (
	"errors"
	"fmt"

	"github.com/hashicorp/go-multierror"

	"github.com/daggy-go/daggy/runner/internal/plan"
)

// runError says why a run that is over did not complete.
func (e *engine) runError(r *Report) error {
	if r.State == RunCompleted {
		return nil
	}
	err := &RunError{Run: r.Run, State: r.State, Failed: r.Counts[Failed]}
	var all *multierror.Error
	e.mu.Lock()
	cause, left := e.cause, e.left
	e.mu.Unlock()
	if r.State == RunKilled {
		all = multierror.Append(all, ErrAborted)
	}
	if cause != nil && r.State == RunInterrupted {
		if !errors.Is(cause, ErrInterrupted) {
			cause = fmt.Errorf("%w: %w", ErrInterrupted, cause)
		}
		all = multierror.Append(all, cause)
	}
	for _, name := range left {
		all = multierror.Append(all, fmt.Errorf("%w: %s", ErrStillRunning, name))
	}
	all = multierror.Append(all, r.failures()...)
	err.Err = all.ErrorOrNil()
	if err.Err == nil {
		err.Err = fmt.Errorf("%d killed, %d skipped", r.Counts[Killed], r.Counts[Skipped])
	}
	return err
}

// failures returns an error for each instance that failed by itself.
func (r *Report) failures() []error {
	if r.Counts[Failed] == 0 {
		return nil
	}
	r.once.Do(r.read)
	var errs []error
	for i := range r.names {
		for k := r.firsts[i]; k < r.firsts[i+1]; k++ {
			if r.states[k] != plan.Failed {
				continue
			}
			if len(errs) == maxErrors {
				return append(errs, fmt.Errorf("and %d more", r.Counts[Failed]-len(errs)))
			}
			errs = append(errs, r.taskError(r.task(i, int(k-r.firsts[i]))))
		}
	}
	return errs
}

func (r *Report) taskError(t TaskReport) *TaskError {
	err := &TaskError{
		Task: t.Task, Instance: t.Name, Attempt: t.last, Class: t.Class, Result: t.Result,
		Tail: t.tail(),
	}
	switch {
	case t.Reason != "" && t.Result.OK():
		err.Err = errors.New(t.Reason)
	case t.Reason != "":
		err.Err = fmt.Errorf("%s: %s", t.Result, t.Reason)
	default:
		err.Err = errors.New(t.Result.String())
	}
	return err
}
