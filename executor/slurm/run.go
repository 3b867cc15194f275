package slurm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/slurm/internal/evidence"
)

// Run submits the attempt as a job, or finds the job that its key has already,
// and waits for its end. The package comment says what becomes of ctx, of the
// output and of errors.
func (e *Executor) Run(ctx context.Context, a *executor.Attempt) (executor.Result, error) {
	o := e.attempt(ctx, a)
	return o.res, o.err
}

// attempt keeps little on the stack: thousands of goroutines wait in it.
func (e *Executor) attempt(ctx context.Context, a *executor.Attempt) *outcome {
	r, o := e.begin(ctx, a)
	if o == nil {
		o = r.wait(ctx)
		r.end()
	}
	return o
}

func (r *run) end() {
	r.unhook()
	if r.tick != nil {
		r.tick.Stop()
	}
	r.e.keeper.leave(r.item, r.wake)
}

// begin finds out what there is of the key. If that is no outcome, the run has
// joined what the keeper does.
func (e *Executor) begin(ctx context.Context, a *executor.Attempt) (*run, *outcome) {
	if detached(ctx) {
		return nil, failure(notStarted(ctx))
	}
	r, err := e.newRun(a)
	if err != nil {
		return nil, failure(err)
	}
	for {
		o, known := r.begin(ctx)
		if o != nil {
			return nil, o
		}
		if known {
			break
		}
		if o := r.unknown(ctx); o != nil {
			return nil, o
		}
	}
	r.item = e.keeper.join(r.item, r.wake)
	r.unhook = context.AfterFunc(ctx, func() { poke(r.wake) })
	return r, nil
}

// A run is one call of Run.
type run struct {
	e     *Executor
	a     *executor.Attempt
	store *store
	asked []string
	wake  chan struct{}
	item  *item
	// claim is who has the key, as of the listing claimed.
	claim   evidence.Claim
	claimed uint64
	// report is the job's, as of the listing reported.
	report   *evidence.Report
	reported uint64
	said     executor.Status // the last Status
	out, err stream
	stopping *stopping // nil: nobody has asked for that
	tick     *time.Timer
	unhook   func() bool // from ctx
}

// An outcome is how an attempt ended. Nil: it has not.
type outcome struct {
	res executor.Result
	err error
}

func failure(err error) *outcome { return &outcome{err: err} }

// newRun looks at what is wrong with the job itself.
func (e *Executor) newRun(a *executor.Attempt) (*run, error) {
	if e.badConfig != nil {
		return nil, executor.Permanent(e.badConfig)
	}
	if !safe(a.Key) {
		return nil, executor.Permanent(fmt.Errorf("slurm: %q cannot be a key", a.Key))
	}
	set, err := e.settingsOf(a.PoolOptions, e.defaults)
	if err == nil {
		set, err = e.settingsOf(a.Job.Options, set)
	}
	if err == nil {
		err = set.take(a.Job, e.config.Grace)
	}
	if err != nil {
		return nil, executor.Permanent(err)
	}
	s, err := e.store(set.uid)
	if err != nil {
		return nil, cannotWrite(err)
	}
	sp, err := e.specOf(a, s, set)
	if err != nil {
		return nil, executor.Permanent(err)
	}
	r := &run{e: e, a: a, store: s, asked: set.asked(), wake: make(chan struct{}, 1)}
	r.item = &item{key: a.Key, store: s, spec: sp, args: set.args()}
	if e.config.ArraySize > 1 {
		r.item.group = strings.Join(append([]string{a.Run, a.Task, s.dir}, r.item.args...), "\x00")
	}
	return r, nil
}

// unknown waits for a while until something is known of an attempt that was
// submitted.
func (r *run) unknown(ctx context.Context) *outcome {
	text := fmt.Sprintf("its job %s was submitted and %s knows nothing of it: is that mounted, and"+
		" the right directory?", r.a.Ref, r.store.dir)
	r.say(executor.Status{Ref: r.a.Ref, Reason: text})
	timer := time.NewTimer(r.e.config.Interval)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return failure(fmt.Errorf("slurm: %w; %s", context.Cause(ctx), text))
	}
}

// begin looks at what earlier calls have left. It is not known what to do about an
// attempt of which they should have left something.
func (r *run) begin(ctx context.Context) (o *outcome, known bool) {
	old, known, err := r.store.spec(r.a.Key)
	if err != nil {
		return failure(fmt.Errorf("slurm: %w", err)), false
	}
	sp := &r.item.spec
	r.item.stage = queued
	if known {
		// It was submitted, or nearly.
		r.item.stage = unsure
		n := jobName{r.a.Key, -1}
		if old.batch != "" {
			n = jobName{old.batch, old.index}
		}
		r.item.names = []jobName{n}
		sp.stdout, sp.stderr = old.stdout, old.stderr
	}
	r.out.open(sp.stdout, r.a.Stdout)
	if sp.stderr != sp.stdout {
		r.err.open(sp.stderr, r.a.Stderr)
	}
	if !known && r.a.Resumed && r.a.Ref != "" {
		if claim, err := r.store.claim(r.a.Key); err == nil && claim.Free() {
			return nil, false
		}
	}
	return r.settled(ctx, known), true
}

// settled reports the outcome of a key that needs nothing of Slurm: it has ended
// before, or was closed, or is to be closed and was never submitted.
func (r *run) settled(ctx context.Context, known bool) *outcome {
	if err := r.look(); err != nil {
		return failure(fmt.Errorf("slurm: %w", err))
	}
	if r.claim.Engine {
		return failure(r.closed())
	}
	if r.claim.ID != "" && !known {
		return failure(&executor.LostError{Err: errForgotten})
	}
	if r.report != nil && (!known || r.e.keeper.tells(r.asked)) {
		return r.ended(picture{}) // unless Slurm has to be asked
	}
	if ctx.Err() == nil || known {
		return nil
	}
	shut, err := r.shut()
	switch {
	case err != nil:
		return failure(fmt.Errorf("slurm: %w", err))
	case shut:
		return failure(notStarted(ctx))
	}
	return nil
}

// shut takes the key for the engine, so that it never starts. False: a job has it.
func (r *run) shut() (bool, error) {
	claim, err := r.store.take(r.a.Key, r.e.engine)
	if err != nil {
		return false, err
	}
	r.claim, r.claimed = claim, r.e.keeper.now()
	return claim.Engine, nil
}

var (
	errForgotten = errors.New("slurm: its outcome was recorded and forgotten")
	errClosed    = errors.New("slurm: an engine has closed its key, so that it never starts")
)

func (r *run) closed() error { return &executor.LostError{Err: errClosed} }

func notStarted(ctx context.Context) error {
	return fmt.Errorf("slurm: not started: %w", context.Cause(ctx))
}

func detached(ctx context.Context) bool {
	return ctx.Err() != nil && errors.Is(context.Cause(ctx), executor.ErrDetach)
}

// wait looks again whenever there is news, until the attempt is over. A channel of
// its own for each kind of news would double the stack that it waits with.
func (r *run) wait(ctx context.Context) *outcome {
	for {
		if o := r.next(ctx); o != nil {
			return o
		}
		<-r.wake
	}
}

// next is one look. The end of ctx is noticed by it, since wake is told of that.
func (r *run) next(ctx context.Context) *outcome {
	if r.stopping == nil && ctx.Err() != nil {
		if detached(ctx) {
			return failure(fmt.Errorf("slurm: %w", executor.ErrDetach))
		}
		r.stopping = &stopping{cause: context.Cause(ctx)}
		// From now on Slurm may have nothing to say.
		r.tick = time.AfterFunc(r.e.config.Interval, func() { poke(r.wake) })
	}
	o := r.step()
	if r.tick != nil {
		r.tick.Reset(r.e.config.Interval)
	}
	return o
}
