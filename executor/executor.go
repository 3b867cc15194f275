package executor

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
)

// An Executor runs one attempt of one task and returns when it is over.
//
// Both methods may be called by many goroutines at once. The package comment
// has the rules that an implementation keeps, and package executortest checks
// them.
type Executor interface {
	// Validate reports every field of job that this executor cannot use.
	// It is called before anything starts, with parameters not yet put in.
	Validate(job dag.Job) error
	// Run blocks until the attempt ends or ctx is done and everything that was
	// started has been stopped. A command that exits non-zero is a Result, not
	// an error; an error means that it could not be run.
	Run(ctx context.Context, a *Attempt) (Result, error)
}

// RunFunc is an Executor that runs every task with one function. It accepts
// every job, has no allocator and is not durable. The function keeps the rules of
// the package comment, in particular it returns soon after ctx has ended.
type RunFunc func(ctx context.Context, a *Attempt) (Result, error)

// Validate accepts every job.
func (f RunFunc) Validate(dag.Job) error { return nil }

// Run calls f.
func (f RunFunc) Run(ctx context.Context, a *Attempt) (Result, error) { return f(ctx, a) }

// An Attempt is one execution of one instance of a task. It is read-only, and
// valid until [Executor.Run] returns: an executor that needs any of it longer
// copies that.
type Attempt struct {
	// Run is the ID of the run, Task the name of the task and Instance the name
	// of the instance, which is Task unless the task was multiplied.
	Run, Task, Instance string
	// Index is the place of the instance in its task, from 0. Number counts the
	// attempts of the instance, from 1.
	Index, Number int
	// Key is unique for ever. It is made of a-z, 0-9 and '-', at most 64 bytes,
	// so that it is safe in file names and in job names.
	Key string
	// Job has defaults filled in and parameters put in.
	Job dag.Job
	// PoolOptions are the DAG's, if the attempt runs in the DAG's pool.
	PoolOptions map[string]any
	// Node was leased for the attempt: run it there. "" if nothing was leased.
	Node string
	// Resumed: the log had this attempt before, so it may have been started.
	Resumed bool
	// Ref is the last [Status].Ref that was recorded for the attempt.
	Ref string
	// Stdout and Stderr take the output. Never nil. One that is an *os.File may
	// be handed to a child as it is. They are safe for use by one goroutine
	// each. After attaching, output is written again from its first byte.
	Stdout, Stderr io.Writer
	// OnReport receives what [Attempt.Report] is told. Nil: nobody does.
	OnReport func(Status)
}

// A Status is news of an attempt that is not over.
type Status struct {
	// Running: it now really runs. A time limit counts from the first time.
	Running bool
	// Ref is its identity outside, such as a process or Slurm job ID.
	Ref string
	// Node is where it runs, if the executor chose.
	Node string
	// Reason says why it does not run yet.
	Reason string
}

// Report tells the engine how the attempt fares. Safe for concurrent use, but
// only until Run returns.
func (a *Attempt) Report(s Status) {
	if a.OnReport != nil {
		a.OnReport(s)
	}
}

// Environ returns the job's environment and the variables by which a command
// can tell who it is: DAGGY_RUN, DAGGY_TASK (the instance's name),
// DAGGY_ATTEMPT (its number) and DAGGY_KEY. The slice is the caller's.
func (a *Attempt) Environ() []string {
	env := make([]string, 0, len(a.Job.Environment)+4)
	env = append(env, a.Job.Environment...)
	return append(env,
		"DAGGY_RUN="+a.Run,
		"DAGGY_TASK="+a.Instance,
		"DAGGY_ATTEMPT="+strconv.Itoa(a.Number),
		"DAGGY_KEY="+a.Key,
	)
}

// Cause says why an attempt that failed was ended, where its exit code and
// signal do not.
type Cause string

// The causes there are.
const (
	CauseMemory Cause = "memory" // it used more memory than it may
	CauseTime   Cause = "time"   // it ran longer than it may
)

// A Result is the outcome of a command that ran. The zero Result is success.
type Result struct {
	// ExitCode is the command's. -1 if it was ended by a signal.
	ExitCode int `json:"exitCode,omitempty"`
	// Signal that ended it, such as "SIGKILL".
	Signal string `json:"signal,omitempty"`
	Cause  Cause  `json:"cause,omitempty"`
	// Message is for people.
	Message string `json:"message,omitempty"`
	// Node is where it ran.
	Node string `json:"node,omitempty"`
	// Start and End bound the time that it really ran. Zero: the engine's own
	// times stand.
	Start time.Time `json:"start,omitzero"`
	End   time.Time `json:"end,omitzero"`
	// UserCPU and SystemCPU are processor time, the descendants that were
	// waited for included.
	UserCPU   time.Duration `json:"userCPU,omitempty"`
	SystemCPU time.Duration `json:"systemCPU,omitempty"`
	// MaxRSS is the largest resident set of any of its processes, in bytes.
	MaxRSS int64 `json:"maxRSS,omitempty"`
	// Left names what could not be stopped.
	Left []string `json:"left,omitempty"`
	// Unenforced names the limits that were asked for and not enforced.
	Unenforced []string `json:"unenforced,omitempty"`
}

// OK reports success.
func (r Result) OK() bool { return r.ExitCode == 0 && r.Signal == "" && r.Cause == "" }

// String returns "success", "failure (exit 3)", "failure (SIGKILL)",
// "failure (out of memory)" or "failure (time limit)".
func (r Result) String() string {
	switch {
	case r.OK():
		return "success"
	case r.Cause == CauseMemory:
		return "failure (out of memory)"
	case r.Cause == CauseTime:
		return "failure (time limit)"
	case r.Cause != "":
		return "failure (" + string(r.Cause) + ")"
	case r.Signal != "":
		return "failure (" + r.Signal + ")"
	}
	return "failure (exit " + strconv.Itoa(r.ExitCode) + ")"
}

// Durable is an extra ability of executors whose attempts outlive the engine.
// Rule E5 has its meaning.
type Durable interface {
	// Durable reports whether attempts outlive the engine in this
	// configuration.
	Durable() bool
	// Forget says that the outcomes of these keys are recorded. What was kept
	// for them may go; that they were used stays known.
	Forget(ctx context.Context, keys ...string) error
}

// Allocating is an extra ability of executors that have limited capacity. The
// runner leases from the allocator before it calls Run; the executor never
// leases by itself.
type Allocating interface {
	// Allocator returns the allocator to lease from. Nil: none.
	Allocator() *capacity.Allocator
}

// PoolValidator is an extra ability of executors that know which options a pool may
// have. Without it a wrong one shows when an attempt is run.
type PoolValidator interface {
	// ValidatePool reports every option of a pool that this executor cannot use. It
	// is called before anything starts, if the pool of the DAG is this executor.
	ValidatePool(options map[string]any) error
}

// As finds an ability of ex, such as [Durable] or [Allocating], looking through
// wrappers that have a method Unwrap() Executor. The outermost that has it wins.
// It also finds executors by their type. A nil ex has no ability.
func As[T any](ex Executor) (T, bool) {
	for ex != nil {
		if t, ok := ex.(T); ok {
			return t, true
		}
		wrapper, ok := ex.(interface{ Unwrap() Executor })
		if !ok {
			break
		}
		ex = wrapper.Unwrap()
	}
	var none T
	return none, false
}
