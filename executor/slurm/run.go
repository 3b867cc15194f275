package slurm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/slurm/internal/evidence"
)

// Run submits the attempt as a job, or finds the job that its key has already,
// and waits for its end. The package comment says what becomes of ctx, of the
// output and of errors.
func (e *Executor) Run(ctx context.Context, a *executor.Attempt) (executor.Result, error) {
	c := &call{e: e, ctx: ctx, a: a}
	e.desk.enter(c)
	c.goes.Wait()
	e.desk.leave(c)
	return c.outcome.res, c.outcome.err
}

// A call is a call of Run as far as it is made on the stack that waits, which is to
// stay small: to make an object of several hundred bytes can take as much stack as
// to read a file.
type call struct {
	e       *Executor
	ctx     context.Context //nolint:containedctx // it is that of the call
	a       *executor.Attempt
	goes    sync.WaitGroup // until there is an outcome; a channel takes more memory
	outcome *outcome
	session *session // which ends with this call. Nil: none does
	shift   *shift
	run     *run // Nil: nobody has looked at it
	// due, busy and outcome are guarded by desk.mu while the call goes on. Due: it is
	// to be looked at, or it is over. Busy: it is looked at.
	due, busy bool
}

// A run is what is known of an attempt whose call goes on. It belongs to who looks at
// it.
type run struct {
	*call
	joined bool // what the keeper does
	// unknown: it waits until something is known of its job.
	unknown bool
	store   *store
	asked   []string
	item    *item
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

// turn is one look at the run, which goes on if there is no outcome.
func (r *run) turn() *outcome {
	if !r.joined {
		if o := r.begin(); o != nil || r.unknown {
			return o
		}
		r.item = r.e.keeper.join(r.item, r)
		r.joined = true
		r.hook()
	}
	return r.next()
}

// begin finds out what there is of the key. It is no outcome if the run has to wait
// for that, or is to join what the keeper does.
func (r *run) begin() *outcome {
	if r.unknown && r.ctx.Err() != nil {
		return failure(fmt.Errorf("slurm: %w; %s", context.Cause(r.ctx), r.said.Reason))
	}
	if r.item == nil {
		if detached(r.ctx) {
			return failure(notStarted(r.ctx))
		}
		err := r.prepare()
		if _, unopened := errors.AsType[*unopenedError](err); unopened {
			r.unknown = true
			r.wait(err.Error())
			return nil
		}
		if err != nil {
			return failure(err)
		}
	}
	o, unknown := r.recall()
	if o != nil {
		return o
	}
	if r.unknown = unknown != ""; r.unknown {
		r.wait(unknown)
	} else if r.tick != nil {
		r.tick.Stop()
		r.tick = nil
	}
	return nil
}

// wait has the run wait for a while until something is known of its job.
func (r *run) wait(why string) {
	r.say(executor.Status{Ref: r.a.Ref, Reason: why})
	r.hook()
	r.again()
}

// An unopenedError says that nothing can be known of an attempt that may run.
type unopenedError struct{ err error }

func (e *unopenedError) Error() string { return e.err.Error() }

// prepare looks at what is wrong with the job itself.
func (r *run) prepare() error {
	e, a := r.e, r.a
	if e.badConfig != nil {
		return executor.Permanent(e.badConfig)
	}
	if !safe(a.Key) {
		return executor.Permanent(fmt.Errorf("slurm: %q cannot be a key", a.Key))
	}
	set, err := e.settingsOf(a.PoolOptions, e.defaults)
	if err == nil {
		set, err = e.settingsOf(a.Job.Options, set)
	}
	if err == nil {
		err = set.take(a.Job, e.config.Grace)
	}
	if err != nil {
		return executor.Permanent(err)
	}
	s, err := e.store(set.uid)
	switch {
	case err != nil && a.Resumed:
		return &unopenedError{err}
	case err != nil:
		return cannotWrite(err)
	}
	sp, err := e.specOf(a, s, set)
	if err != nil {
		return executor.Permanent(err)
	}
	r.store, r.asked = s, set.asked()
	r.item = &item{key: a.Key, store: s, spec: &sp, args: set.args()}
	if e.config.ArraySize > 1 {
		r.item.group = strings.Join(append([]string{a.Run, a.Task, s.dir}, r.item.args...), "\x00")
	}
	return nil
}

// again has the run looked at after an interval.
func (r *run) again() {
	if r.tick == nil {
		r.tick = time.AfterFunc(r.e.config.Interval, r.poke)
	} else {
		r.tick.Reset(r.e.config.Interval)
	}
}

// recall looks at what earlier calls have left. If it is not known what to do about
// an attempt, as they should have left something, it says why.
func (r *run) recall() (o *outcome, unknown string) {
	// Whoever has the key first: what the job is to do is there before that, and goes
	// last of all. The right directory may be mounted in between.
	err := r.look()
	var old spec
	var known bool
	if err == nil {
		old, known, err = r.store.spec(r.a.Key)
	}
	if err != nil {
		return nil, cannotRead(err)
	}
	sp := r.item.spec
	r.item.stage = queued
	if known {
		// It was submitted, or nearly.
		r.item.stage = unsure
		r.item.names = old.names
		sp.stdout, sp.stderr = old.stdout, old.stderr
	}
	r.open(&r.out, sp.stdout, r.a.Stdout)
	if sp.stderr != sp.stdout {
		r.open(&r.err, sp.stderr, r.a.Stderr)
	}
	if !known && r.a.Resumed && r.a.Ref != "" && r.claim.Free() {
		return nil, fmt.Sprintf("its job %s was submitted and %s knows nothing of it: is that"+
			" mounted, and the right directory?", r.a.Ref, r.store.dir)
	}
	return r.settled(known), ""
}

// settled reports the outcome of a key that needs nothing of Slurm: it has ended
// before, or was closed, or is to be closed and was never submitted.
func (r *run) settled(known bool) *outcome {
	if r.claim.Engine {
		return failure(r.closed())
	}
	if r.claim.ID != "" && !known {
		return failure(&executor.LostError{Err: errForgotten})
	}
	if r.report != nil && (!known || r.e.keeper.tells(r.asked)) {
		return r.ended(picture{}) // unless Slurm has to be asked
	}
	if r.ctx.Err() == nil || known {
		return nil
	}
	shut, err := r.shut()
	switch {
	case err != nil:
		return failure(fmt.Errorf("slurm: %w", err))
	case shut:
		return failure(notStarted(r.ctx))
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

// next looks at what there is of a job. The end of ctx is noticed by it, since the
// run is looked at then.
func (r *run) next() *outcome {
	if r.stopping == nil && r.ctx.Err() != nil {
		if detached(r.ctx) {
			return failure(fmt.Errorf("slurm: %w", executor.ErrDetach))
		}
		r.stopping = &stopping{cause: context.Cause(r.ctx)}
	}
	o := r.step()
	if r.stopping != nil {
		r.again() // from now on Slurm may have nothing to say
	}
	return o
}
