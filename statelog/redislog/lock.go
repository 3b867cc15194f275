package redislog

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/daggy-go/daggy/statelog"
)

// minLease is what is left to stop work in when a lease cannot be renewed, three
// times over.
const minLease = time.Second

// releaseTime is how long a release may take when the server is away. The lease
// ends by itself then.
const releaseTime = 5 * time.Second

// Lock gives the run to the engine for a lease by the server's clock, which is
// renewed until release. See [Config.Lease] and [Log.OnLost].
//
// The lock keeps engines from working on the same run by mistake. That no two of
// them append to it is kept by Append alone, whatever clocks and servers do.
func (l *Log) Lock(
	ctx context.Context, run, engine string,
) (release func() error, err error) {
	lo := &lock{engine: engine, holder: engine + "@" + hex.EncodeToString(l.id[:])}
	if err := l.locks.add(run, lo); err != nil {
		return nil, fmt.Errorf("redislog: lock run %q: %w", run, err)
	}
	from := time.Now()
	if err := l.take(ctx, run, lo.holder); err != nil {
		l.locks.remove(run, lo)
		return nil, fmt.Errorf("redislog: lock run %q: %w", run, cause(ctx, err))
	}
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	if !l.locks.keep(lo, stop, func() {
		k := keeper{lease: l.lease, renew: func(ctx context.Context) error {
			return l.take(ctx, run, lo.holder)
		}}
		k.keep(keeping, from, lo.lose)
	}) {
		// The lease ends by itself.
		stop()
		return nil, fmt.Errorf("redislog: lock run %q: %w", run, errClosed)
	}
	return sync.OnceValue(func() error {
		stop()
		<-lo.kept
		l.locks.remove(run, lo)
		return l.give(context.WithoutCancel(ctx), run, lo.holder)
	}), nil
}

// take takes the lock or renews it. A server that has lost it since is given it
// back.
func (l *Log) take(ctx context.Context, run, holder string) error {
	answer, err := l.do(ctx, call{
		script: lockScript, keys: []string{l.keys.lock(run)},
		args: []any{holder, l.lease.Milliseconds()},
	})
	switch {
	case err != nil:
		return err
	case text(answer, 0) != "ok":
		engine, _, _ := strings.Cut(text(answer, 1), "@")
		return fmt.Errorf("engine %q has it: %w", engine, statelog.ErrActive)
	}
	return nil
}

func (l *Log) give(ctx context.Context, run, holder string) error {
	ctx, cancel := context.WithTimeout(ctx, releaseTime)
	defer cancel()
	_, err := l.do(ctx, call{
		script: unlockScript, keys: []string{l.keys.lock(run)}, args: []any{holder},
	})
	if err != nil {
		return fmt.Errorf("redislog: unlock run %q: %w", run, err)
	}
	return nil
}

// OnLost has f called when the engine's lock of the run could not be renewed for
// two thirds of its lease, so that a third is left to stop work in, or when the
// server has given it to another engine. f is called at once if that was so
// before, and never if the engine does not have the run.
func (l *Log) OnLost(run, engine string, f func()) (stop func()) {
	lo := l.locks.find(run)
	if lo == nil || lo.engine != engine {
		return func() {}
	}
	return lo.watch(f)
}

// A lock is one that this Log has, or is about to have.
type lock struct {
	engine, holder string
	stop           context.CancelFunc // ends the renewing
	kept           chan struct{}      // closed when that has ended

	// mu guards the fields below.
	mu       sync.Mutex
	lost     bool
	watchers map[*func()]bool
}

func (lo *lock) watch(f func()) (stop func()) {
	lo.mu.Lock()
	defer lo.mu.Unlock()
	if lo.lost {
		go f()
		return func() {}
	}
	if lo.watchers == nil {
		lo.watchers = make(map[*func()]bool)
	}
	lo.watchers[&f] = true
	return func() {
		lo.mu.Lock()
		defer lo.mu.Unlock()
		delete(lo.watchers, &f)
	}
}

func (lo *lock) lose() {
	lo.mu.Lock()
	defer lo.mu.Unlock()
	lo.lost = true
	for f := range lo.watchers {
		go (*f)()
	}
	lo.watchers = nil
}

func (lo *lock) isLost() bool {
	lo.mu.Lock()
	defer lo.mu.Unlock()
	return lo.lost
}

// locks are those that a Log has, by run.
type locks struct {
	// mu guards the fields below.
	mu     sync.Mutex
	byRun  map[string]*lock
	closed bool
}

// add fails if the run has a lock that is not lost.
func (ls *locks) add(run string, lo *lock) error {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.closed {
		return errClosed
	}
	if old := ls.byRun[run]; old != nil && !old.isLost() {
		return fmt.Errorf("engine %q has it: %w", old.engine, statelog.ErrActive)
	}
	if ls.byRun == nil {
		ls.byRun = make(map[string]*lock)
	}
	ls.byRun[run] = lo
	return nil
}

// keep starts the renewing unless the log is closed.
func (ls *locks) keep(lo *lock, stop context.CancelFunc, renew func()) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.closed {
		return false
	}
	lo.stop, lo.kept = stop, make(chan struct{})
	go func() {
		defer close(lo.kept)
		renew()
	}()
	return true
}

func (ls *locks) find(run string) *lock {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.byRun[run]
}

func (ls *locks) remove(run string, lo *lock) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.byRun[run] == lo {
		delete(ls.byRun, run)
	}
}

// close ends all renewing and waits for it.
func (ls *locks) close() {
	ls.mu.Lock()
	ls.closed = true
	var ending []*lock
	for _, lo := range ls.byRun {
		if lo.kept != nil {
			ending = append(ending, lo)
		}
	}
	ls.mu.Unlock()
	for _, lo := range ending {
		lo.stop()
		<-lo.kept
	}
}

// A keeper renews a lease.
type keeper struct {
	lease time.Duration
	renew func(ctx context.Context) error
}

// keep renews until ctx ends, or calls lost and returns. from is when what gave
// the lease was sent: it began no earlier, so it ends no earlier than a lease
// later.
//
// A request that hangs does not keep it from seeing that time is up.
func (k *keeper) keep(ctx context.Context, from time.Time, lost func()) {
	up := time.NewTimer(time.Until(from.Add(k.lease * 2 / 3)))
	defer up.Stop()
	next := time.NewTimer(k.lease / 6)
	defer next.Stop()
	asking, cancel := context.WithCancel(ctx)
	answers, under := make(chan renewal, 1), false
	defer func() {
		cancel()
		if under {
			<-answers
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-up.C:
			lost()
			return
		case <-next.C:
			under = true
			go func() {
				sent := time.Now()
				answers <- renewal{sent, k.renew(asking)}
			}()
		case r := <-answers:
			under = false
			switch {
			case errors.Is(r.err, statelog.ErrActive):
				lost()
				return
			case r.err == nil:
				up.Reset(time.Until(r.sent.Add(k.lease * 2 / 3)))
				next.Reset(k.lease / 6)
			default:
				next.Reset(k.lease / 20)
			}
		}
	}
}

// A renewal is one that has come back.
type renewal struct {
	sent time.Time
	err  error
}
