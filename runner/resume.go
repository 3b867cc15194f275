package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/expand"
	"github.com/daggy-go/daggy/runner/internal/plan"
	"github.com/daggy-go/daggy/statelog"
)

// Resume goes on with a run that the log has: what is recorded as completed
// does not run again. If the run is active in this Runner the Handle is that of
// its engine; if it is closed, nothing starts and Wait returns its report. The
// error is [statelog.ErrNoRun] if the log does not have the run.
//
// Definition and seed come from the log, executors and settings from the
// Runner. Attempts that were open are run again under their keys by durable
// executors, and are lost at no cost to the task otherwise.
func (r *Runner) Resume(ctx context.Context, id string) (*Handle, error) {
	found := func(e *engine) (*Handle, error) { return e.handle, nil }
	return r.open(ctx, id, found, func() (*Handle, error) {
		h, err := r.takeUp(ctx, id, nil, nil)
		return h, r.didYouMean(ctx, id, err)
	})
}

// Retry reopens a closed run, or goes on with one that is open: the named tasks
// and instances that failed or were killed, and everything downstream of them,
// get another round of attempts.
// Without names, everything that failed or was killed does. What completed does
// not run again. The error is [ErrNothing] if that leaves nothing to do.
func (r *Runner) Retry(ctx context.Context, id string, names ...string) (*Handle, error) {
	for {
		var active *engine
		h, err := r.open(ctx, id, func(e *engine) (*Handle, error) {
			active = e
			return e.handle, e.retryNow(ctx, names)
		}, func() (*Handle, error) {
			h, err := r.takeUp(ctx, id, nil, &names)
			return h, r.didYouMean(ctx, id, err)
		})
		if active == nil || !errors.Is(err, ErrOver) {
			return h, err
		}
		// It is just ending: then it can be reopened.
		if err := active.handle.await(ctx); err != nil {
			return nil, err
		}
	}
}

// namesAtOnce bounds the runs among which the nearest ID is looked for.
const namesAtOnce = 1000

// didYouMean adds the nearest ID to the error that there is no such run.
func (r *Runner) didYouMean(ctx context.Context, id string, err error) error {
	if !errors.Is(err, statelog.ErrNoRun) || r.Log == nil {
		return err
	}
	var known []string
	for info, listErr := range r.Log.Runs(ctx, statelog.Query{Limit: namesAtOnce}) {
		if listErr != nil {
			return err
		}
		known = append(known, info.Run)
	}
	if near := dag.Nearest(id, known); near != "" {
		return fmt.Errorf("%w; did you mean %q?", err, near)
	}
	return err
}

// takeUp makes an engine of what the log has of a run. d is what its definition
// should be, if not nil; again is not nil to reopen the run if it is closed.
func (r *Runner) takeUp(
	ctx context.Context, id string, d *dag.DAG, again *[]string,
) (*Handle, error) {
	if r.Log == nil {
		return nil, fmt.Errorf("%w %q: without Runner.Log, only active runs are known",
			statelog.ErrNoRun, id)
	}
	engine := randomID()
	unlock, err := r.lock(ctx, id, engine)
	if err != nil {
		return nil, err
	}
	e, err := r.replay(ctx, id, engine)
	if err == nil {
		e.unlock = unlock
		_, err = e.expect(d)
	}
	var h *Handle
	if err == nil {
		h, err = e.goOn(ctx, again)
	}
	if err != nil {
		unlock()
		return nil, fmt.Errorf("runner: run %s: %w", id, err)
	}
	return h, nil
}

// goOn sets an engine to work whose plan has all records of the run.
func (e *engine) goOn(ctx context.Context, again *[]string) (*Handle, error) {
	var retries []target
	if again != nil {
		var err error
		if retries, err = e.retries(*again); err != nil {
			return nil, err
		}
	}
	first := statelog.Record{
		Kind: statelog.Resumed, Time: time.Now(), Engine: e.id, Pools: e.def.pools.records(),
	}
	switch {
	case !e.plan.Closed():
	case again == nil:
		return e.shut(), nil
	default:
		first.Kind = statelog.Reopened
		e.closedAt = time.Time{}
	}
	if err := e.storeFirst(ctx, first); err != nil {
		return nil, err
	}
	if err := e.plan.Apply(&first, nil); err != nil {
		return nil, err
	}
	return e.begin(func() {
		now := time.Now() // the log may have taken its time
		open := e.openAttempts()
		e.plan.Restart(now)
		for _, t := range retries {
			// What one retry covers downstream may be what another asks for.
			_ = e.plan.Decide(now, statelog.Retry, t.task, t.instance, true)
		}
		e.takeUpAttempts(now, open)
		e.plan.Tick(now)
	}), nil
}

// expect returns the Handle if the run's definition is d, or d is nil.
func (e *engine) expect(d *dag.DAG) (*Handle, error) {
	if d != nil {
		e.mu.Lock()
		was := e.def.dag()
		e.mu.Unlock()
		if err := sameDefinition(e.run, was, d); err != nil {
			return nil, err
		}
	}
	return e.handle, nil
}

// shut makes an engine of a closed run, which has nothing to do.
func (e *engine) shut() *Handle {
	e.stop(context.Canceled)
	e.closing, e.over = true, true
	close(e.ended)
	close(e.finished)
	e.takeUnlock()()
	return e.handle
}

// replay folds the records of a run.
func (r *Runner) replay(ctx context.Context, id, engineID string) (*engine, error) {
	var e *engine
	for rec, err := range r.Log.Read(ctx, id, 0) {
		if err != nil {
			return nil, err
		}
		if e == nil {
			if e, err = r.reopen(ctx, id, &rec); err != nil {
				return nil, err
			}
			e.id = engineID
		}
		if err := e.fold(&rec); err != nil {
			return nil, err
		}
	}
	if e == nil {
		return nil, statelog.ErrNoRun
	}
	e.def.limits = r.Limits.WithDefaults()
	e.from = e.seq
	return e, nil
}

// reopen makes the engine from the first record of a run.
func (r *Runner) reopen(ctx context.Context, id string, rec *statelog.Record) (*engine, error) {
	o := rec.Opened
	switch {
	case rec.Kind != statelog.Opened || o == nil:
		return nil, fmt.Errorf("the log begins with a record of kind %v", rec.Kind)
	case o.Version != statelog.Version || o.Expansion != expand.Version:
		return nil, fmt.Errorf("it was recorded in version %d with expansion %d; "+
			"this library has %d and %d", o.Version, o.Expansion, statelog.Version, expand.Version)
	}
	def, err := r.compileWithin(o.Definition(), unlimited)
	if err != nil {
		return nil, err
	}
	e, err := r.engine(ctx, id, def)
	if err != nil {
		return nil, err
	}
	e.key, e.opened = o.KeyPrefix, rec.Time
	e.plan = plan.New(e.planConfig(o))
	def.planned = nil
	return e, nil
}

// unlimited is what replay allows: limits may have been lowered since, and what
// was accepted stays.
var unlimited = dag.Limits{
	Tasks: -1, Instances: -1, Product: -1, GeneratorOutput: -1, Definition: -1, Depth: -1,
}

func (e *engine) fold(rec *statelog.Record) error {
	var spliced []plan.Task
	if rec.Kind == statelog.Done && rec.Class == statelog.Success && len(rec.Output) > 0 {
		tasks, err := unlimited.ParseTasks(rec.Output)
		var g *generated
		if err == nil {
			g, err = e.def.expand(tasks)
		}
		if err == nil {
			spliced, err = e.def.splice(rec.Task, g)
		}
		if err != nil {
			return fmt.Errorf("record %d: output of a generator: %w", rec.Seq, err)
		}
		e.plan.GrowGroups(e.def.pools.planGroups())
	}
	e.seq = rec.Seq
	if rec.Kind == statelog.Closed {
		e.closedAt = rec.Time
	}
	if rec.Kind == statelog.Reopened {
		e.closedAt = time.Time{}
	}
	if err := e.plan.Apply(rec, spliced); err != nil {
		return err
	}
	if e.forgets != nil {
		e.noteClosed(rec)
	}
	return nil
}

// retryNow is Retry of a run that this engine is at work on.
func (e *engine) retryNow(ctx context.Context, names []string) error {
	return e.handle.command(ctx, func(p *plan.Plan) error {
		retries, err := e.retries(names)
		if err != nil {
			return err
		}
		for _, t := range retries {
			// What one retry covers downstream may be what another asks for.
			err := p.Decide(time.Now(), statelog.Retry, t.task, t.instance, true)
			if errors.Is(err, plan.ErrOver) {
				return ErrOver
			}
		}
		return nil
	})
}

// target is a task, with instance [statelog.WholeTask], or an instance.
type target struct{ task, instance int }

// retries finds what to give another round of attempts.
func (e *engine) retries(names []string) ([]target, error) {
	var found []target
	for _, name := range names {
		task, instance, err := e.def.find(name)
		if err != nil {
			return nil, err
		}
		if e.plan.CanRetry(task, instance) {
			found = append(found, target{task, instance})
		}
	}
	for task := 0; len(names) == 0 && task < e.plan.Len(); task++ {
		if e.plan.CanRetry(task, statelog.WholeTask) {
			found = append(found, target{task, statelog.WholeTask})
		}
	}
	if len(found) == 0 {
		return nil, ErrNothing
	}
	return found, nil
}

func (e *engine) openAttempts() []plan.ID {
	var open []plan.ID
	for id := range e.plan.Opens {
		open = append(open, id)
	}
	return open
}

// takeUpAttempts goes on with attempts that another engine left open (L4). What
// ran in the engine itself is suspected first of having taken it down: it comes to
// an end here, after which the others have another chance.
func (e *engine) takeUpAttempts(now time.Time, open []plan.ID) {
	var durable []plan.ID
	caught := false
	for _, id := range open {
		if e.poolOf(id).durable {
			durable = append(durable, id)
			continue
		}
		deaths := e.plan.Deaths(id)
		poison := e.runner.poison(deaths)
		e.plan.Finish(now, id, lostWithEngine(now, poison, deaths))
		caught = caught || poison
	}
	for _, id := range durable {
		a, pool := e.plan.Open(id), e.poolOf(id)
		poison := !caught && e.runner.poison(e.plan.Deaths(id))
		mine := e.attempt(id)
		mine.Resumed = true
		if poison {
			e.plan.Condemn(id)
		}
		if pool.allocator != nil {
			mine.lease = pool.allocator.Restore(a.Node, e.def.pools.groups[a.Group].resources)
		}
		e.plan.Again(id)
	}
}

// poolOf returns the pool of an open attempt.
func (e *engine) poolOf(id plan.ID) *poolDef {
	return &e.def.pools.list[e.def.pools.groups[e.plan.Open(id).Group].pool]
}

// lostWithEngine is how an attempt ended that could not outlive its engine.
func lostWithEngine(now time.Time, poison bool, deaths int) *plan.Outcome {
	if poison {
		return &plan.Outcome{
			Class: statelog.Poison, Permanent: true, Start: now,
			Reason: fmt.Sprintf("%d engines in a row died while it ran and nothing else "+
				"came to an end; see Runner.Poison", deaths),
		}
	}
	return &plan.Outcome{
		Lost: true, Interrupted: true, Start: now, Reason: "its engine ended",
	}
}

// poison reports whether so many engines died with an attempt that it is not
// tried again.
func (r *Runner) poison(deaths int) bool {
	limit := r.Poison
	if limit == 0 {
		limit = defaultPoison
	}
	return limit > 0 && deaths >= limit
}

const defaultPoison = 5
