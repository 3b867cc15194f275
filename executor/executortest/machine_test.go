package executortest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

// A machine is a durable executor that keeps every rule: what it runs belongs to
// it and not to the callers of Run, and goes on without them. It plays the jobs
// on goroutines.
type machine struct {
	tb        testing.TB
	allocator *capacity.Allocator
	settings

	mu      sync.Mutex
	entries map[string]*entry // by key
}

type settings struct {
	durable bool
	grace   time.Duration
	defects defects
}

// defects are what is wrong with a machine, for what cannot be wrong with a
// wrapper around it.
type defects struct {
	neverAsks     bool // E2: kills at once
	cannotKill    bool // E2: waits for what takes no notice
	keepsOrphans  bool // E1: descendants survive the end of the work
	keepsFamily   bool // E2: descendants survive that it was stopped
	startsTwice   bool // E5: a resumed attempt is started
	startsLate    bool // E5: closing a key does not keep it from starting
	detachStops   bool // E5: detaching ends the work
	detachCloses  bool // E5: detaching before the start closes the key
	attachLate    bool // E5: after attaching only what is new is printed
	closeLeaves   bool // E5: closing does not stop what runs
	closeFails    bool // E5: closing does not say how it ended
	forgetsTheKey bool // E5: a forgotten key starts again
	losesEnded    bool // E5: what ends without a caller of Run is not known any more
	oneListener   bool // E5: only the first to attach gets the output
	lostRuns      bool // E5: what is said to be lost goes on
	lostStarts    bool // E5: what is lost starts again
	neverLost     bool // E5: what was killed is a failure of the task
	blamesTask    bool // E5: what an engine stopped is a failure of the task
	blamesClosed  bool // E5: what an engine closed is a failure of the task
	forgetsLimit  bool // E7: time limits are left to the engine
}

var errKeyClosed = errors.New("machine: the key is closed")

func newMachine(tb testing.TB, s settings) *machine {
	tb.Helper()
	return &machine{
		tb:        tb,
		allocator: capacity.New(capacity.Node{Name: "m", Total: dag.Resources{dag.Cores: 2}}),
		settings:  s,
		entries:   map[string]*entry{},
	}
}

func (m *machine) Allocator() *capacity.Allocator { return m.allocator }

func (m *machine) Durable() bool { return m.durable }

func (m *machine) Validate(job dag.Job) error {
	for name := range job.Options {
		return fmt.Errorf("machine: unknown option %q", name)
	}
	return nil
}

func (m *machine) Forget(_ context.Context, keys ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		switch {
		case m.entries[key] == nil:
		case m.defects.forgetsTheKey:
			delete(m.entries, key)
		default:
			m.entries[key] = &entry{closed: true}
		}
	}
	return nil
}

func (m *machine) Run(ctx context.Context, a *executor.Attempt) (executor.Result, error) {
	if a.Job.Command[0] != "play" {
		return executor.Result{}, executor.Permanent(errors.New("machine: unknown command"))
	}
	resumed := a.Resumed
	e, err := m.entry(ctx, a)
	if err != nil {
		return executor.Result{}, err
	}
	a.Report(executor.Status{Running: true})
	if m.defects.oneListener && resumed && e.attached.Swap(true) {
		a = &executor.Attempt{Stdout: io.Discard, Stderr: io.Discard}
	}
	fromNow := resumed && m.defects.attachLate
	copies := e.copyTo(a.Stdout, a.Stderr, fromNow)
	defer copies.finish()
	if m.defects.closeFails && ctx.Err() != nil && wait(e.done, 0) {
		return executor.Result{}, context.Cause(ctx)
	}
	select {
	case <-e.done:
	case <-e.lost:
	case <-ctx.Done():
		detach := errors.Is(context.Cause(ctx), executor.ErrDetach)
		if m.durable && detach && !m.defects.detachStops || resumed && m.defects.closeLeaves {
			copies.leave()
			return executor.Result{}, context.Cause(ctx)
		}
		e.stop(m.grace, m.defects)
	}
	if wait(e.lost, 0) && !m.defects.neverLost {
		if m.defects.lostRuns {
			copies.leave()
		} else {
			<-e.done
		}
		return executor.Result{}, &executor.LostError{Err: errors.New("killed")}
	}
	<-e.done
	e.told.Store(true)
	res, err := e.result, e.err
	if wait(e.late, 0) && !res.OK() {
		res.Cause = executor.CauseTime
	}
	if errors.Is(context.Cause(ctx), executor.ErrTimeLimit) && !res.OK() {
		res.Cause = executor.CauseTime
	}
	return res, err
}

// entry finds what the key started, or starts it, unless the key is closed.
func (m *machine) entry(ctx context.Context, a *executor.Attempt) (*entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[a.Key]
	if e != nil && m.defects.losesEnded && a.Resumed && !e.told.Load() && wait(e.done, 0) {
		return nil, &executor.LostError{Err: errors.New("it has ended, and nobody was there")}
	}
	switch {
	case e != nil && e.closed && m.defects.blamesClosed:
		return nil, errKeyClosed
	case e != nil && e.closed:
		return nil, &executor.LostError{Err: errKeyClosed}
	case e != nil && e.wasStopped() && a.Resumed && !m.defects.blamesTask:
		return nil, &executor.LostError{Err: errKeyClosed}
	case e != nil && (!a.Resumed || !m.defects.startsTwice):
		return e, nil
	case ctx.Err() != nil:
		detach := errors.Is(context.Cause(ctx), executor.ErrDetach) && !m.defects.detachCloses
		if m.durable && !detach && !m.defects.startsLate {
			m.entries[a.Key] = &entry{closed: true}
		}
		return nil, context.Cause(ctx)
	}
	e = m.begin(a)
	m.entries[a.Key] = e
	return e, nil
}

// An entry is what a key has started.
type entry struct {
	closed         bool // a tombstone: nothing else is set
	stdout, stderr *tape
	ask            context.CancelFunc
	asked          context.Context //nolint:containedctx // of the work, not of a call
	kill           func()
	killFamily     func()
	family         sync.WaitGroup
	lost           chan struct{} // closed when it was killed with its keeper
	late           chan struct{} // closed when its time was over
	attached       atomic.Bool   // once more
	told           atomic.Bool   // how it ended
	done           chan struct{} // closed when result and err are set
	result         executor.Result
	err            error
}

// wasStopped reports whether an engine ended the work, and not its own time.
func (e *entry) wasStopped() bool {
	return wait(e.done, 0) && e.asked.Err() != nil && !wait(e.late, 0) && !e.result.OK()
}

func (m *machine) begin(a *executor.Attempt) *entry {
	e := &entry{
		stdout: newTape(m.tb), stderr: newTape(m.tb),
		lost: make(chan struct{}), late: make(chan struct{}), done: make(chan struct{}),
	}
	e.asked, e.ask = context.WithCancel(context.Background())
	killed, killedFamily := make(chan struct{}), make(chan struct{})
	e.kill = sync.OnceFunc(func() { close(killed) })
	e.killFamily = func() { close(killedFamily) }
	p := Process{
		Args:        a.Job.Command[1:],
		Environment: a.Environ(),
		Stdout:      e.stdout,
		Stderr:      e.stderr,
		Kill:        killed,
	}
	p.Spawn = func(args ...string) error {
		child := p
		child.Args, child.Kill = args, killedFamily
		e.family.Go(func() { Play(e.asked, child) })
		return nil
	}
	go e.live(p, m.defects)
	if limit := a.Job.TimeLimit; m.durable && limit > 0 && !m.defects.forgetsLimit {
		go e.expire(limit, m.settings)
	}
	return e
}

// expire stops the work when its time is over.
func (e *entry) expire(limit time.Duration, s settings) {
	if !wait(e.done, limit) {
		close(e.late)
		e.stop(s.grace, s.defects)
	}
}

// crash is the end of whatever keeps the work, and so of the work.
func (m *machine) crash() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, e := range m.entries {
		if e.closed || wait(e.done, 0) {
			continue
		}
		close(e.lost)
		if !m.defects.lostRuns {
			e.kill()
		}
		if m.defects.lostStarts {
			delete(m.entries, key)
		}
	}
}

// live is the life of the work, whose end is the end of its descendants.
func (e *entry) live(p Process, d defects) {
	defer close(e.done)
	defer e.stdout.end()
	defer e.stderr.end()
	defer func() {
		if v := recover(); v != nil {
			e.err = &executor.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	e.result.ExitCode = Play(e.asked, p)
	if e.result.ExitCode == playKilled {
		e.result = executor.Result{ExitCode: -1, Signal: "SIGKILL"}
	}
	if stopped := e.asked.Err() != nil; stopped && d.keepsFamily || !stopped && d.keepsOrphans {
		return
	}
	e.killFamily()
	e.family.Wait()
}

// stop asks, waits, kills.
func (e *entry) stop(grace time.Duration, d defects) {
	if d.neverAsks {
		e.kill()
		<-e.done
	}
	e.ask()
	if !d.cannotKill && !wait(e.done, grace) {
		e.kill()
	}
	<-e.done
}

// A tape is output that is kept in a file and can be read from the beginning by
// any number of readers while it grows.
type tape struct {
	file *os.File

	mu    sync.Mutex // guards what follows
	size  int64
	over  bool
	grown chan struct{} // closed when size or over changes
}

func newTape(tb testing.TB) *tape {
	tb.Helper()
	f, err := os.CreateTemp(tb.TempDir(), "tape")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = f.Close() })
	return &tape{file: f, grown: make(chan struct{})}
}

func (t *tape) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := t.file.WriteAt(p, t.size)
	t.size += int64(n)
	t.changed()
	return n, err
}

func (t *tape) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	t.changed()
}

func (t *tape) changed() {
	close(t.grown)
	t.grown = make(chan struct{})
}

func (t *tape) state() (size int64, over bool, grown <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.size, t.over, t.grown
}
