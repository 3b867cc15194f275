package runner

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daggy-go/daggy/executor"
)

// Causes with which contexts of attempts end, beside those of package executor.
var (
	errKilled      = errors.New("runner: killed")
	errInterrupted = errors.New("runner: the run was interrupted")
	errPoison      = errors.New("runner: engines died with it")
)

// attemptContext is the context of one attempt. Any attempt may be ended by
// itself, but few are, and most functions never look: the real context, which
// costs several allocations and the lock of its parent, is made when somebody
// does.
type attemptContext struct {
	// parent is where the engine has the context of the run: half as large as
	// the context, and there is one of these for each attempt.
	parent *context.Context
	state  atomic.Pointer[contextState]
}

// contextState is what an attemptContext became: a real context, one that has ended
// for a cause before anybody looked, or one with a function to call then.
type contextState struct {
	real   context.Context //nolint:containedctx // it is a context itself
	cancel context.CancelCauseFunc
	cause  error
	after  *afterFunc
}

// overState is that of attempts that are over, the commonest.
var overState = &contextState{cause: context.Canceled}

// lives reports whether nobody has looked at the context, nor ended it.
func (s *contextState) lives() bool { return s == nil || s.after != nil }

// afterFunc is a function to call when a context ends.
type afterFunc struct {
	f    func()
	over atomic.Bool // it was called, or is not to be
	next *afterFunc  // of the same context
}

func (a *afterFunc) call() {
	if a.over.CompareAndSwap(false, true) {
		a.f()
	}
}

func (a *afterFunc) stop() bool { return a.over.CompareAndSwap(false, true) }

// made returns the state with a real context.
func (s *contextState) made(parent context.Context) *contextState {
	made := &contextState{}
	made.real, made.cancel = context.WithCancelCause(parent)
	if !s.lives() {
		made.cancel(s.cause)
	}
	return made
}

func (c *attemptContext) context() context.Context {
	for {
		s := c.state.Load()
		if s != nil && s.real != nil {
			return s.real
		}
		made := s.made(*c.parent)
		if !c.state.CompareAndSwap(s, made) {
			made.cancel(context.Canceled) // somebody else was faster
			continue
		}
		if s != nil {
			for a := s.after; a != nil; a = a.next {
				context.AfterFunc(made.real, a.call)
			}
		}
		return made.real
	}
}

// end ends the context. The first cause stands.
func (c *attemptContext) end(cause error) {
	ended := overState
	if cause != context.Canceled { //nolint:errorlint // it is this very value
		ended = &contextState{cause: cause}
	}
	if c.state.CompareAndSwap(nil, ended) {
		return
	}
	s := c.state.Load()
	for ; s.lives(); s = c.state.Load() {
		if !c.state.CompareAndSwap(s, ended) {
			continue
		}
		for a := s.after; a != nil; a = a.next {
			go a.call()
		}
		return
	}
	if s.cancel != nil {
		s.cancel(cause)
	}
}

// AfterFunc is context.AfterFunc for executors that look for this method: no real
// context is made for them. The context of the run ends after those of attempts, so
// it has nothing to say.
func (c *attemptContext) AfterFunc(f func()) (stop func() bool) {
	a := &afterFunc{f: f}
	for {
		s := c.state.Load()
		if !s.lives() {
			return context.AfterFunc(c.context(), f)
		}
		if s != nil {
			a.next = s.after
		}
		if c.state.CompareAndSwap(s, &contextState{after: a}) {
			return a.stop
		}
	}
}

func (c *attemptContext) Deadline() (time.Time, bool) { return (*c.parent).Deadline() }

func (c *attemptContext) Done() <-chan struct{} { return c.context().Done() }

func (c *attemptContext) Value(key any) any { return c.context().Value(key) }

func (c *attemptContext) Err() error {
	switch s := c.state.Load(); {
	case s.lives():
		return (*c.parent).Err()
	case s.real != nil:
		return s.real.Err()
	}
	return context.Canceled
}

// timeLimit ends an attempt that runs too long (E7). The limit counts from the
// first Running status, or from the start for executors that report none: one
// that reports something else first has the attempt wait somewhere.
type timeLimit struct {
	mu      sync.Mutex
	timer   *time.Timer
	running bool
	over    bool
}

func (l *timeLimit) start(a *attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx := a.ctx
	l.running, l.over = false, false
	l.timer = time.AfterFunc(a.Job.TimeLimit, func() { ctx.end(executor.ErrTimeLimit) })
}

func (l *timeLimit) report(a *attempt, running bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running || l.over {
		return
	}
	l.timer.Stop()
	if running {
		l.running = true
		l.timer.Reset(a.Job.TimeLimit)
	}
}

func (l *timeLimit) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.timer.Stop()
}
