package sqllog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/daggy-go/daggy/statelog"
)

const (
	// renewals is how often a lock is renewed in the time of a lease, and
	// lostAfter the part of the lease after which it counts as lost.
	renewals  = 6
	lostAfter = 2
	// unlockTimeout is how long a lock may take to be given back. If that fails,
	// its lease ends by itself.
	unlockTimeout = 5 * time.Second
)

// Lock gives the run to the engine until release is called, for as long as its
// lease is renewed, which happens in the background. Leases end by the clock of
// the database.
func (l *Log) Lock(
	ctx context.Context, run, engine string,
) (release func() error, err error) {
	le, err := l.acquire(ctx, run, engine)
	if err != nil {
		return nil, fmt.Errorf("sqllog: lock run %q: %w", run, err)
	}
	release = sync.OnceValue(func() error {
		if err := l.release(le); err != nil {
			return fmt.Errorf("sqllog: release run %q: %w", run, err)
		}
		return nil
	})
	return release, nil
}

func (l *Log) acquire(ctx context.Context, run, engine string) (*lease, error) {
	if err := errors.Join(checkText("run", run), checkText("engine", engine)); err != nil {
		return nil, err
	}
	le := newLease(run, engine)
	// The database gives a run to the same engine as often as it asks. Its place
	// here is taken first, so that only one lease is renewed and released.
	if !l.reserve(le) {
		return nil, statelog.ErrActive
	}
	asked := time.Now()
	n, err := l.store.exec(ctx, l.sql.lock, run, engine, l.config.Lease.Milliseconds())
	if err == nil && n == 0 {
		err = statelog.ErrActive
	}
	if err != nil {
		l.drop(le)
		return nil, err
	}
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	le.stop = stop
	go l.renew(renewing, le, asked)
	return le, nil
}

// reserve reports false if the engine has the run already.
func (l *Log) reserve(le *lease) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if has := l.leases[le.holder]; has != nil && !has.isLost() {
		return false
	}
	l.leases[le.holder] = le
	return true
}

func (l *Log) drop(le *lease) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leases[le.holder] == le {
		delete(l.leases, le.holder)
	}
}

// renew keeps the lease until ctx ends or it is lost. asked is when the database
// was asked for it: the lease began then or later.
func (l *Log) renew(ctx context.Context, le *lease, asked time.Time) {
	defer close(le.ended)
	timer := time.NewTimer(l.config.Lease / renewals)
	defer timer.Stop()
	end := asked.Add(l.config.Lease / lostAfter)
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		asked = time.Now()
		kept, err := l.renewOnce(ctx, le, end)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && !kept:
			le.lose()
			return
		case err == nil:
			end = asked.Add(l.config.Lease / lostAfter)
		case !time.Now().Before(end):
			le.lose()
			return
		}
		timer.Reset(l.config.Lease / renewals)
	}
}

// renewOnce reports false if somebody else has the run. It takes no longer than
// the lease can be relied on.
func (l *Log) renewOnce(ctx context.Context, le *lease, end time.Time) (bool, error) {
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	n, err := l.store.exec(ctx, l.sql.renew, le.run, le.engine, l.config.Lease.Milliseconds())
	return n > 0, err
}

// release gives the run back, unless it is lost.
func (l *Log) release(le *lease) error {
	le.stop()
	<-le.ended
	l.drop(le)
	l.memory.forget(le.run)
	if le.isLost() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), unlockTimeout)
	defer cancel()
	_, err := l.store.exec(ctx, l.sql.unlock, le.run, le.engine)
	return err
}

// OnLost has f called once the engine's lock of the run could not be renewed for
// half of its lease, or somebody else has the run. If that has happened, f is
// called at once; if the engine never had the run, f is never called.
func (l *Log) OnLost(run, engine string, f func()) (stop func()) {
	l.mu.Lock()
	le := l.leases[holder{run, engine}]
	l.mu.Unlock()
	if le == nil {
		return func() {}
	}
	return le.onLost(f)
}
