package sqllog

import "sync"

// A holder is an engine that has a run.
type holder struct{ run, engine string }

// A lease is a lock that one goroutine renews.
type lease struct {
	holder
	stop  func()        // ends the renewing
	ended chan struct{} // closed once that has ended

	// mu guards the fields below.
	mu       sync.Mutex
	lost     bool
	watchers map[*watcher]struct{}
}

// A watcher is called when the lease is lost.
type watcher struct{ call func() }

func newLease(run, engine string) *lease {
	return &lease{
		holder:   holder{run, engine},
		ended:    make(chan struct{}),
		watchers: make(map[*watcher]struct{}),
	}
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
	for w := range le.watchers {
		go w.call()
	}
	clear(le.watchers)
}

func (le *lease) onLost(f func()) (stop func()) {
	le.mu.Lock()
	defer le.mu.Unlock()
	if le.lost {
		go f()
		return func() {}
	}
	w := &watcher{call: f}
	le.watchers[w] = struct{}{}
	return func() {
		le.mu.Lock()
		defer le.mu.Unlock()
		delete(le.watchers, w)
	}
}
