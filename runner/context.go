package runner

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/daggy-go/daggy/executor"
)

// Causes with which contexts of attempts end, beside those of package executor.
var (
	errKilled      = errors.New("runner: killed")
	errInterrupted = errors.New("runner: the run was interrupted")
)

// attemptContext is the context of one attempt. Any attempt may be ended by
// itself, but few are, and most functions never look: the real context, which
// costs several allocations and the lock of its parent, is made when somebody
// does.
type attemptContext struct {
	parent context.Context //nolint:containedctx // it is a context itself

	mu     sync.Mutex
	real   context.Context //nolint:containedctx // it is a context itself
	cancel context.CancelCauseFunc
	cause  error // ended before there was a real context
}

func (c *attemptContext) context() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.real == nil {
		c.real, c.cancel = context.WithCancelCause(c.parent)
		if c.cause != nil {
			c.cancel(c.cause)
		}
	}
	return c.real
}

// end ends the context. The first cause stands.
func (c *attemptContext) end(cause error) {
	c.mu.Lock()
	cancel := c.cancel
	if c.cause == nil {
		c.cause = cause
	}
	c.mu.Unlock()
	if cancel != nil {
		cancel(cause)
	}
}

func (c *attemptContext) Deadline() (time.Time, bool) { return c.parent.Deadline() }

func (c *attemptContext) Done() <-chan struct{} { return c.context().Done() }

func (c *attemptContext) Value(key any) any { return c.context().Value(key) }

func (c *attemptContext) Err() error {
	c.mu.Lock()
	made, cause := c.real, c.cause
	c.mu.Unlock()
	switch {
	case made != nil:
		return made.Err()
	case cause != nil:
		return context.Canceled
	}
	return c.parent.Err()
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
