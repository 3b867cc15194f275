package runner

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/expand"
	"github.com/daggy-go/daggy/runner/internal/plan"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/memlog"
)

// lowercase base 32 is safe in file names and job names.
var lowercase = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newRunID returns an ID that no other run has: 48 bits of time, so that IDs
// sort by it, and 72 random ones.
func newRunID() string {
	var b [15]byte
	_, _ = rand.Read(b[6:]) // never fails
	ms := uint64(time.Now().UnixMilli())
	var be [8]byte
	binary.BigEndian.PutUint64(be[:], ms)
	copy(b[:6], be[2:])
	return lowercase.EncodeToString(b[:])
}

func randomID() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails
	return lowercase.EncodeToString(b[:])
}

func randomSeed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:])
}

// checkRunID refuses IDs that could not be shown or found again.
func checkRunID(id string) error {
	bad := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	if id == "" || len(id) > 200 || strings.ContainsFunc(id, bad) {
		return fmt.Errorf("runner: %q is no ID of a run: use 1 to 200 printable characters", id)
	}
	return nil
}

// start opens a run.
func (r *Runner) start(ctx context.Context, id string, d *dag.DAG) (*Handle, error) {
	def, err := r.compile(d)
	if err != nil {
		return nil, err
	}
	e, err := r.engine(ctx, id, def)
	if err != nil {
		return nil, err
	}
	if e.unlock, err = r.lock(ctx, id, e.id); err != nil {
		return nil, err
	}
	opening := &statelog.Opening{
		Version: statelog.Version, Expansion: expand.Version,
		Definition: def.dag, Tags: def.frame.Tags, KeyPrefix: e.key,
		Seed: e.seed(), FailFast: r.FailFast, LongestPathFirst: r.LongestPathFirst,
	}
	e.plan = plan.New(e.planConfig(opening))
	def.planned = nil
	err = e.storeFirst(ctx, statelog.Record{
		Kind: statelog.Opened, Time: e.opened, Opened: opening,
		Pools: def.pools.records(), Engine: e.id,
	})
	if err != nil {
		e.unlock()
		return nil, fmt.Errorf("runner: open run %s: %w", id, err)
	}
	return e.begin(func() {
		now := time.Now() // the log may have taken its time
		e.plan.Begin(now)
		e.plan.Tick(now) // what is due already needs no timer
	}), nil
}

// engine makes an engine that is not yet at work.
func (r *Runner) engine(ctx context.Context, id string, def *definition) (*engine, error) {
	outputs, err := newOutputs(r.Output, r.Limits.WithDefaults().GeneratorOutput)
	if err != nil {
		return nil, fmt.Errorf("runner: directory for output: %w", err)
	}
	e := &engine{
		runner: r, run: id, id: randomID(), key: "d" + newRunID(), def: def,
		log: r.Log, logger: r.Logger, outputs: outputs, opened: time.Now(),
		room: make(chan struct{}, 1), wake: make(chan struct{}, 1),
		ended: make(chan struct{}), finished: make(chan struct{}),
		unlock: func() {},
	}
	e.handle = &Handle{e}
	if e.log == nil {
		e.log = memlog.New()
	}
	if im, ok := statelog.As[statelog.Immediate](e.log); ok {
		e.inMemory = im.Immediate()
	}
	if e.logger == nil {
		e.logger = slog.New(slog.DiscardHandler)
	}
	for i := range def.pools.list {
		e.pools = append(e.pools, &workers{poolDef: &def.pools.list[i]})
		if def.pools.list[i].durable && e.forgets == nil {
			e.closed = make([][]attemptRef, len(def.pools.list))
			e.forgets = make(chan struct{}, 1)
		}
	}
	e.ctx, e.stop = context.WithCancelCause(context.WithoutCancel(ctx))
	e.appends, e.stopAppends = context.WithCancelCause(e.ctx)
	e.outer = ctx
	return e, nil
}

// seed is what all random decisions of the run derive from.
func (e *engine) seed() uint64 {
	if e.runner.Seed != 0 {
		return e.runner.Seed
	}
	return randomSeed()
}

func (e *engine) planConfig(o *statelog.Opening) plan.Config {
	c := plan.Config{
		Graph: e.def.graph, Tasks: e.def.planned, Groups: e.def.pools.planGroups(),
		FailFast: o.FailFast, LongestPathFirst: o.LongestPathFirst,
		Lost: e.runner.Lost.plan(), Seed: o.Seed,
	}
	for i := range e.def.pools.list {
		p := &e.def.pools.list[i]
		pool := plan.Pool{Slots: p.slots, Leased: p.allocator != nil}
		if !e.inMemory && !pool.Leased {
			pool.Ahead = intentsAhead
		}
		c.Pools = append(c.Pools, pool)
	}
	return c
}

// intentsAhead is how many intents are recorded before there is a slot, so that
// workers do not wait for a log that takes its time (L2).
const intentsAhead = 64

func (p *pools) planGroups() []plan.Group {
	groups := make([]plan.Group, len(p.groups))
	for i, g := range p.groups {
		groups[i].Pool = g.pool
	}
	return groups
}

// plan fills the defaults in.
func (b Backoff) plan() plan.Backoff {
	p := plan.Backoff{Min: b.Min, Max: b.Max, Budget: b.Budget}
	if p.Min == 0 {
		p.Min = time.Second
	}
	if p.Max == 0 {
		p.Max = 5 * time.Minute
	}
	p.Max = max(p.Max, p.Min)
	if p.Budget == 0 {
		p.Budget = 10
	}
	return p
}

// open calls found if the run of that ID is active in this Runner, and f if not.
// Of several callers for the same ID one calls f, and the others wait for what
// comes of it.
func (r *Runner) open(
	ctx context.Context, id string,
	found func(*engine) (*Handle, error), f func() (*Handle, error),
) (*Handle, error) {
	for {
		r.mu.Lock()
		active, others := r.active[id], r.opening[id]
		switch {
		case active != nil:
			r.mu.Unlock()
			return found(active)
		case others == nil:
			mine := make(chan struct{})
			if r.opening == nil {
				r.opening = map[string]chan struct{}{}
			}
			r.opening[id] = mine
			r.mu.Unlock()
			defer r.opened(id, mine)
			return f()
		}
		r.mu.Unlock()
		select {
		case <-others:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (r *Runner) opened(id string, mine chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.opening, id)
	close(mine)
}

// activate makes e the engine of its run in this Runner.
func (r *Runner) activate(e *engine) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.active == nil {
		r.active = map[string]*engine{}
	}
	r.active[e.run] = e
}

func (r *Runner) deactivate(e *engine) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.active, e.run)
}

// begin sets the engine to work.
func (e *engine) begin(first func()) *Handle {
	e.runner.activate(e)
	if !e.inMemory {
		e.watching.Go(e.append)
	}
	if e.forgets != nil {
		e.watching.Go(e.forgetting)
		e.wakeForgetting() // to repeat what was recorded before
	}
	e.watchLock()
	if n := len(e.runner.Observers); n > 0 {
		observers := make([]watcher, n)
		for i := range observers {
			observers[i].Observer = e.runner.Observers[i]
		}
		e.watching.Go(func() { e.observe(observers, e.from) })
	}
	for _, w := range e.pools {
		if w.allocator != nil {
			e.cleanup = append(e.cleanup, w.allocator.Notify(e.freed))
			e.leases = true
		}
	}
	if e.leases {
		e.watching.Go(e.askAgain)
	}
	e.cleanup = append(e.cleanup, e.leaveLines)
	// Nobody may interrupt what has not begun.
	e.mu.Lock()
	defer e.mu.Unlock()
	stop := context.AfterFunc(e.outer, func() { e.interrupt(context.Cause(e.outer)) })
	e.cleanup = append(e.cleanup, func() { stop() })
	first()
	if e.outer.Err() != nil {
		e.interruptNow(context.Cause(e.outer)) // before anything starts
	}
	e.pump()
	return e.handle
}

// leaveLines gives up the places of this run in the lines of allocators.
func (e *engine) leaveLines() {
	for _, r := range e.requests {
		if r != nil {
			r.Leave()
		}
	}
}
