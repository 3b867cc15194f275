package runner

import (
	"errors"

	"github.com/hashicorp/go-multierror"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
)

// unfitError is what an executor or an allocator has against a task: a problem
// that can be located like those of the definition, and its cause.
type unfitError struct {
	problem *dag.Problem
	cause   error
}

func (e *unfitError) Error() string { return e.problem.Error() }

func (e *unfitError) Unwrap() []error { return []error{e.problem, e.cause} }

// unfit makes problems of task t of err, one of each if it has several.
func unfit(t *dag.Task, field string, err error) error {
	many, ok := errors.AsType[*multierror.Error](err)
	if !ok {
		return &unfitError{&dag.Problem{Task: t.Name, Field: field, Text: err.Error()}, err}
	}
	var problems *multierror.Error
	for _, one := range many.Errors {
		problems = multierror.Append(problems, unfit(t, field, one))
	}
	return problems.ErrorOrNil()
}

// resourceField returns the member of a job that a refusal is about.
func resourceField(err error) string {
	refused, ok := errors.AsType[*capacity.RefusedError](err)
	switch {
	case !ok || refused.Resource == "":
		return "job"
	case refused.Resource == dag.Cores, refused.Resource == dag.MemoryMB,
		refused.Resource == dag.GPUs:
		return "job." + refused.Resource
	}
	return "job.resources." + refused.Resource
}
