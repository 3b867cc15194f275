package sim_test

import (
	"context"
	"time"

	"github.com/daggy-go/daggy/statelog"
)

// lockKind says how the log of a world keeps engines apart (L6).
type lockKind int

const (
	noLock      lockKind = iota // two engines may be at work, and one is fenced
	processLock                 // until its process ends
	leasedLock                  // for a time, renewed unless that fails
)

// leaseMargin is how long after a lock was reported as lost nobody else can have
// it.
const leaseMargin = 2 * time.Minute

type lock struct {
	kind   lockKind
	holder *engine
	id     string // of the holder
	onLost func()
	lostAt time.Time // zero: the lock is not lost
}

// locker is a log that is a [statelog.Locker].
type locker struct{ logger }

// leaser is a log that is a [statelog.Leased] too.
type leaser struct{ locker }

var (
	_ statelog.Locker = locker{}
	_ statelog.Leased = leaser{}
)

// Lock gives the run to one engine at a time.
func (l locker) Lock(_ context.Context, _, id string) (release func() error, err error) {
	w := l.world
	w.mu.Lock()
	defer w.mu.Unlock()
	k := &w.lock
	switch {
	case l.dead:
		return nil, errDead
	case w.down:
		return nil, errStore
	case k.holder != nil && !k.free():
		w.seen["active"]++
		return nil, statelog.ErrActive
	case k.holder != nil && k.holder.aliveLocally():
		w.violated("L6: engine %d lost its lock and attempts of it run that do not outlive it",
			k.holder.number)
	}
	w.say("engine %d: locks the run", l.number)
	*k = lock{kind: k.kind, holder: l.engine, id: id}
	return func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if k.id == id && !l.dead {
			w.say("engine %d: unlocks the run", l.number)
			*k = lock{kind: k.kind}
		}
		return nil
	}, nil
}

// free reports whether somebody else can have the lock.
func (k *lock) free() bool {
	return !k.lostAt.IsZero() && time.Since(k.lostAt) >= leaseMargin
}

// OnLost keeps f until the lock is lost.
func (l leaser) OnLost(_, id string, f func()) (stop func()) {
	w := l.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lock.id == id {
		w.lock.onLost = f
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.lock.id == id {
			w.lock.onLost = nil
		}
	}
}

// lose takes the lock of its holder away, with mu held.
func (k *lock) lose() {
	k.lostAt = time.Now()
	if k.onLost != nil {
		go k.onLost()
		k.onLost = nil
	}
}
