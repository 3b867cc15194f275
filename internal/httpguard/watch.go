package httpguard

import (
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// lookAgain is how often a file is looked at, while it is used.
	lookAgain = time.Second
	// settled is the age at which a file that has the same time as before is the
	// same as before: clocks of file systems are coarse.
	settled = 2 * time.Second
)

// watched is what was made of files, made again when they change. There is no
// goroutine: whoever uses it looks, one at a time, while the others go on with
// what there is.
type watched[T any] struct {
	log     *slog.Logger
	paths   []string
	load    func() (*T, error)
	start   time.Time
	next    atomic.Int64 // when to look again, in nanoseconds after start
	current atomic.Pointer[T]

	mu     sync.Mutex    // one reads at a time
	states []os.FileInfo // guarded by mu, as of the last attempt to load
	failed bool          // guarded by mu, as that attempt did
	at     time.Time     // guarded by mu, of that attempt
	said   string        // guarded by mu, the error that was logged
}

// watch loads for the first time.
func watch[T any](
	log *slog.Logger, load func() (*T, error), paths ...string,
) (*watched[T], error) {
	w := &watched[T]{log: log, paths: paths, load: load, start: time.Now()}
	if err := w.reload(); err != nil {
		return nil, err
	}
	w.next.Store(int64(lookAgain))
	return w, nil
}

// get returns what the files held at most [lookAgain] ago, or when they could
// last be read.
func (w *watched[T]) get() *T {
	now := int64(time.Since(w.start))
	next := w.next.Load()
	if now >= next && w.next.CompareAndSwap(next, now+int64(lookAgain)) {
		w.look()
	}
	return w.current.Load()
}

func (w *watched[T]) look() {
	if !w.mu.TryLock() {
		return
	}
	defer w.mu.Unlock()
	// What kept them from being read need not show in them.
	if !w.failed && !w.changed() {
		return
	}
	err := w.read()
	switch {
	case err == nil:
		w.said = ""
	case err.Error() != w.said:
		w.said = err.Error()
		w.log.Error("a file cannot be read again, what it held before stays in use",
			slog.Any("err", err))
	}
}

// reload reads the files now.
func (w *watched[T]) reload() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.read()
}

func (w *watched[T]) changed() bool {
	states := w.stat()
	for i, s := range states {
		before := w.states[i]
		if (s == nil) != (before == nil) {
			return true
		}
		if s != nil && (!os.SameFile(s, before) || s.Size() != before.Size() ||
			s.Mode() != before.Mode() || !s.ModTime().Equal(before.ModTime()) ||
			w.at.Sub(s.ModTime()) < settled) {
			return true
		}
	}
	return false
}

// read loads. The files are looked at before, so that what changes meanwhile is
// seen the next time.
func (w *watched[T]) read() error {
	w.at, w.states = time.Now(), w.stat()
	loaded, err := w.load()
	if w.failed = err != nil; w.failed {
		return err
	}
	w.current.Store(loaded)
	return nil
}

// stat returns nil for a file that is not there.
func (w *watched[T]) stat() []os.FileInfo {
	states := make([]os.FileInfo, len(w.paths))
	for i, path := range w.paths {
		if info, err := os.Stat(path); err == nil {
			states[i] = info
		}
	}
	return states
}
