package sim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

// Config says how an [Executor] behaves. With the zero Config every attempt
// succeeds at once.
type Config struct {
	// Script has behaviours by the name of the instance or, failing that, by the
	// name of the task. It is copied by [New].
	Script map[string]Behaviour
	// Behave decides on attempts that Script does not have. The source belongs
	// to the attempt. It may be called more than once for an attempt, and by
	// many goroutines at once. Nil: they take Default.
	Behave func(a *executor.Attempt, source *rand.Rand) Behaviour
	// Default is for attempts that Script does not have, if Behave is nil.
	Default Behaviour
	// Seed of all that Behave draws.
	Seed uint64
	// Validate reports what is wrong with a job. Nil: every job is accepted.
	Validate func(job dag.Job) error
	// Durable attempts outlive the engine, though not this process (E5).
	Durable bool
	// Allocator is what the runner leases from. Nil: nothing is leased.
	Allocator *capacity.Allocator
	// Remember bounds how many starts [Executor.Starts] returns, the first ones.
	// 0: 10,000. Negative: none.
	Remember int
}

const defaultRemember = 10_000

// An Executor pretends to work. Make it with [New]. It is safe for concurrent
// use.
type Executor struct {
	config Config

	mu      sync.Mutex // guards what follows
	refused map[string]int
	works   map[string]*work // by key, if durable; never removed: tombstones
	starts  []Start
	stats   Stats
}

var (
	_ executor.Executor   = (*Executor)(nil)
	_ executor.Durable    = (*Executor)(nil)
	_ executor.Allocating = (*Executor)(nil)
)

// New returns an executor.
func New(c Config) *Executor {
	c.Script = maps.Clone(c.Script)
	if c.Remember == 0 {
		c.Remember = defaultRemember
	}
	return &Executor{config: c, refused: map[string]int{}, works: map[string]*work{}}
}

// Validate calls the function of the [Config]. Without one it accepts every job.
func (e *Executor) Validate(job dag.Job) error {
	if e.config.Validate == nil {
		return nil
	}
	return e.config.Validate(job)
}

// Allocator returns the allocator of the [Config], which may be nil.
func (e *Executor) Allocator() *capacity.Allocator { return e.config.Allocator }

// Durable reports what the [Config] says.
func (e *Executor) Durable() bool { return e.config.Durable }

// Run pretends to run an attempt.
func (e *Executor) Run(ctx context.Context, a *executor.Attempt) (executor.Result, error) {
	w, err := e.take(ctx, a)
	if err != nil {
		return executor.Result{}, err
	}
	return e.attend(ctx, a, w)
}

// take finds the work of an attempt or begins it.
func (e *Executor) take(ctx context.Context, a *executor.Attempt) (*work, error) {
	if ctx.Err() != nil {
		return e.takeEnded(ctx, a)
	}
	b := e.behaviour(a)
	e.mu.Lock()
	defer e.mu.Unlock()
	if w := e.works[a.Key]; w != nil {
		return w, w.refusal()
	}
	if e.refused[a.Key] < b.NotStarted {
		e.refused[a.Key]++
		e.stats.NotStarted++
		return nil, &executor.NotStartedError{RetryAfter: b.RetryAfter, Err: errNotStarted}
	}
	delete(e.refused, a.Key)
	w := newWork(b, a)
	if e.config.Durable {
		e.works[a.Key] = w
		e.bound(w, a.Job.TimeLimit)
	}
	return w, nil
}

// takeEnded closes the key of an attempt that has not begun (E5).
func (e *Executor) takeEnded(ctx context.Context, a *executor.Attempt) (*work, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if w := e.works[a.Key]; w != nil {
		return w, w.refusal()
	}
	if e.config.Durable && !detached(ctx) {
		e.works[a.Key] = &work{closed: true}
	}
	delete(e.refused, a.Key)
	return nil, fmt.Errorf("sim: not started: %w", context.Cause(ctx))
}

func detached(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), executor.ErrDetach)
}

// Forget drops what is kept of these attempts, except that their keys were used.
// It never fails.
func (e *Executor) Forget(_ context.Context, keys ...string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, key := range keys {
		if e.works[key] != nil {
			e.works[key] = &work{closed: true}
		}
	}
	return nil
}
