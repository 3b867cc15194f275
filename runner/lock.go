package runner

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/daggy-go/daggy/statelog"
)

// lock takes the run for an engine if the log gives runs to one engine at a time
// (L6). unlock is never nil.
func (r *Runner) lock(ctx context.Context, run, engine string) (unlock func(), err error) {
	locker, ok := statelog.As[statelog.Locker](r.Log)
	if !ok {
		return func() {}, nil
	}
	// One that ends the run a moment later does not keep it from being opened.
	release, err := locker.Lock(context.WithoutCancel(ctx), run, engine)
	if err != nil {
		return nil, fmt.Errorf("runner: lock run %s: %w", run, err)
	}
	return func() {
		if err := release(); err != nil && r.Logger != nil {
			r.Logger.Warn("the lock of a run cannot be given back",
				slog.String("run", run), slog.Any("err", err))
		}
	}, nil
}

// watchLock has the engine stop when it loses its lock.
func (e *engine) watchLock() {
	leased, ok := statelog.As[statelog.Leased](e.log)
	if !ok {
		return
	}
	stop := leased.OnLost(e.run, e.id, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.over {
			return
		}
		e.detaching = true
		e.interruptNow(fmt.Errorf("runner: the lock of the run is lost: %w", statelog.ErrActive))
	})
	e.cleanup = append(e.cleanup, stop)
}

// takeUnlock returns what gives the lock back, once the run is over and the last
// executor has returned that was not waited for: until then its work may go on,
// and no other engine may start that again. It is called with mu held, and what
// it returns without.
func (e *engine) takeUnlock() func() {
	unlock := e.unlock
	if !e.over || e.unwaited > 0 || unlock == nil {
		return func() {}
	}
	e.unlock = nil
	return unlock
}

// returned is the end of a worker that was not waited for. It is called with mu
// held, and returns without.
func (e *engine) returned() {
	e.unwaited--
	unlock := e.takeUnlock()
	e.mu.Unlock()
	unlock()
}
