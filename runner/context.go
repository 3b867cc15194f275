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

// contextState is what an attemptContext became first: a real context, or ended
// for a cause before anybody looked.
type contextState struct {
	real   context.Context //nolint:containedctx // it is a context itself
	cancel context.CancelCauseFunc
	cause  error
}

// overState is that of attempts that are over, the commonest.
var overState = &contextState{cause: context.Canceled}

func (c *attemptContext) context() context.Context {
	s := c.state.Load()
	if s != nil && s.real != nil {
		return s.real
	}
	made := &contextState{}
	made.real, made.cancel = context.WithCancelCause(*c.parent)
	if s != nil {
		made.cancel(s.cause)
	}
	if !c.state.CompareAndSwap(s, made) {
		made.cancel(context.Canceled) // somebody else was faster
		return c.context()
	}
	return made.real
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
	if s := c.state.Load(); s.cancel != nil {
		s.cancel(cause)
	}
}

func (c *attemptContext) Deadline() (time.Time, bool) { return (*c.parent).Deadline() }

func (c *attemptContext) Done() <-chan struct{} { return c.context().Done() }

func (c *attemptContext) Value(key any) any { return c.context().Value(key) }

func (c *attemptContext) Err() error {
	switch s := c.state.Load(); {
	case s == nil:
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
