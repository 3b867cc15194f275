package runnertest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

// An Attempt is one execution of an instance.
type Attempt struct {
	// Task and Instance are names, the same unless the task was multiplied.
	Task, Instance string
	// Number counts the attempts of the instance, from 1.
	Number int
	// Job is what the executor was given: defaults filled in, parameters put in,
	// CommandString split into Command.
	Job dag.Job
	// Start and End are virtual times since the start of the run.
	Start, End time.Duration
	// Result and Err are what the executor returned. After a panic both are
	// zero: the task's report has the stack.
	Result executor.Result
	Err    error

	// begun and over order all starts and ends, also those at the same time.
	begun, over int
}

// recorder notes what executors are asked to run, in that order.
type recorder struct {
	start time.Time

	mu       sync.Mutex
	attempts []*Attempt
	steps    int
}

func (rec *recorder) wrap(ex executor.Executor) executor.Executor { return &recorded{ex, rec} }

// begin notes the start of an attempt.
func (rec *recorder) begin(a *executor.Attempt) *Attempt {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.steps++
	noted := &Attempt{
		Task: a.Task, Instance: a.Instance, Number: a.Number, Job: cloneJob(a.Job),
		Start: time.Since(rec.start), begun: rec.steps,
	}
	rec.attempts = append(rec.attempts, noted)
	return noted
}

func (rec *recorder) end(noted *Attempt, result executor.Result, err error) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.steps++
	noted.over, noted.End = rec.steps, time.Since(rec.start)
	noted.Result, noted.Err = result, err
}

func (rec *recorder) all() []*Attempt {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return slices.Clone(rec.attempts)
}

// cloneJob copies what must outlive the attempt.
func cloneJob(j dag.Job) dag.Job {
	j.Command = slices.Clone(j.Command)
	j.Environment = slices.Clone(j.Environment)
	j.Resources = maps.Clone(j.Resources)
	j.Options = maps.Clone(j.Options)
	return j
}

// recorded is an executor that is listened to.
type recorded struct {
	executor.Executor
	rec *recorder
}

// Unwrap gives [executor.As] the abilities of the executor.
func (r *recorded) Unwrap() executor.Executor { return r.Executor }

func (r *recorded) Run(
	ctx context.Context, a *executor.Attempt,
) (result executor.Result, err error) {
	noted := r.rec.begin(a)
	defer func() { r.rec.end(noted, result, err) }() // also after a panic
	return r.Executor.Run(ctx, a)
}
