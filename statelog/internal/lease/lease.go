package lease

import (
	"context"
	"sync"
)

// A lease is one that was taken, or is about to be.
type lease struct {
	run, engine string

	// Of those that were taken.
	stop  context.CancelFunc // ends the renewing
	ended chan struct{}      // closed once that has ended

	// mu guards the fields below.
	mu       sync.Mutex
	lost     bool
	watchers map[*func()]bool
}

// end ends the renewing and waits for it.
func (le *lease) end() {
	le.stop()
	<-le.ended
}

func (le *lease) isLost() bool {
	le.mu.Lock()
	defer le.mu.Unlock()
	return le.lost
}

func (le *lease) lose() {
	le.mu.Lock()
	defer le.mu.Unlock()
	le.lost = true
	for f := range le.watchers {
		go (*f)()
	}
	le.watchers = nil
}

func (le *lease) onLost(f func()) (stop func()) {
	le.mu.Lock()
	defer le.mu.Unlock()
	if le.lost {
		go f()
		return func() {}
	}
	if le.watchers == nil {
		le.watchers = make(map[*func()]bool)
	}
	le.watchers[&f] = true
	return func() {
		le.mu.Lock()
		defer le.mu.Unlock()
		delete(le.watchers, &f)
	}
}
