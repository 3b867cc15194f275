package inproc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

// A Func is what a task runs. It may be called by many goroutines at once, and
// should return soon after ctx has ended.
//
// Nil is success and an error is exit 1; see the package comment for the errors
// that mean something else.
type Func func(ctx context.Context, c *Call) error

// Funcs are functions by the name that commands call them by.
type Funcs map[string]Func

// Config says what an [Executor] runs. The zero Config knows no function.
type Config struct {
	// Funcs are copied by [New]. A nil one is left out.
	Funcs Funcs
	// Allocator is what the runner leases from for tasks that run here. Nil:
	// nothing is leased, and the runner's MaxRunning is the only bound.
	Allocator *capacity.Allocator
}

// An Executor runs Go functions. Make it with [New]. It is safe for concurrent
// use.
type Executor struct {
	funcs     Funcs
	allocator *capacity.Allocator
	calls     sync.Pool // of *Call: half of the cost of a short function
}

var (
	_ executor.Executor   = (*Executor)(nil)
	_ executor.Allocating = (*Executor)(nil)
)

// New returns an executor of these functions.
func New(c Config) *Executor {
	funcs := maps.Clone(c.Funcs)
	maps.DeleteFunc(funcs, func(_ string, f Func) bool { return f == nil })
	return &Executor{
		funcs:     funcs,
		allocator: c.Allocator,
		calls:     sync.Pool{New: func() any { return new(Call) }},
	}
}

// Names returns the names of all functions, sorted.
func (e *Executor) Names() []string { return slices.Sorted(maps.Keys(e.funcs)) }

// Allocator returns the allocator of the [Config], which may be nil.
func (e *Executor) Allocator() *capacity.Allocator { return e.allocator }

// Run calls the function that the first word of the command names, on this
// goroutine. See the package comment for what its error and its panic become.
// A function that does not exist is a permanent error.
func (e *Executor) Run(ctx context.Context, a *executor.Attempt) (executor.Result, error) {
	if ctx.Err() != nil {
		return executor.Result{}, fmt.Errorf("inproc: not started: %w", context.Cause(ctx))
	}
	words := a.Job.Command
	if len(words) == 0 {
		var err error
		if words, err = split(&a.Job); err != nil {
			return executor.Result{}, executor.Permanent(err)
		}
	}
	f := e.funcs[words[0]]
	if f == nil {
		return executor.Result{}, executor.Permanent(e.unknown(words[0]))
	}
	c := e.calls.Get().(*Call)
	c.Args, c.Env, c.Attempt = words[1:], a.Job.Environment, a
	c.Stdout, c.Stderr = a.Stdout, a.Stderr
	a.Report(executor.Status{Running: true})
	err := call(ctx, f, c)
	*c = Call{}
	e.calls.Put(c)
	if err != nil || len(a.Job.Resources) > 0 {
		return outcome(ctx, a, err)
	}
	return executor.Result{}, nil
}

// call turns a panic into an error. There is nothing to do for a Goexit here:
// deferred functions cannot stop it.
func call(ctx context.Context, f Func, c *Call) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &executor.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return f(ctx, c)
}

func outcome(
	ctx context.Context, a *executor.Attempt, err error,
) (res executor.Result, _ error) {
	res.Unenforced = unenforced(a.Job.Resources)
	if err == nil {
		return res, nil
	}
	if passesThrough(err) {
		return executor.Result{}, err
	}
	exit, ok := errors.AsType[ExitError](err)
	switch {
	case ok && exit == 0:
		return res, nil
	case ok:
		res.ExitCode = int(exit)
	default:
		res.ExitCode = 1
	}
	res.Message = err.Error()
	if errors.Is(context.Cause(ctx), executor.ErrTimeLimit) {
		res.Cause = executor.CauseTime
	}
	return res, nil
}

// unenforced names the resources that have a meaning, for nothing holds a
// function to any of them.
func unenforced(asked dag.Resources) []string {
	var names []string
	for _, name := range []string{dag.Cores, dag.GPUs, dag.MemoryMB} {
		if asked[name] > 0 {
			names = append(names, name)
		}
	}
	return names
}

// passesThrough reports whether err says more than that the function failed.
func passesThrough(err error) bool {
	if _, ok := errors.AsType[*executor.PanicError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*executor.LostError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*executor.NotStartedError](err); ok {
		return true
	}
	return executor.IsPermanent(err)
}

// Validate reports a function that does not exist, with the nearest name there
// is, and every option, since functions take none. A name with a placeholder in
// it is only known when the attempt runs and is looked up then.
func (e *Executor) Validate(job dag.Job) error { return e.validate(&job) }
