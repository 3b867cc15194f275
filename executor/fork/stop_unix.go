//go:build linux || darwin

package fork

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// stopper asks the process group of a command to stop when ctx ends, and kills
// it when the grace time is over. It works by itself, so that a writer that
// blocks whoever reads the output does not keep the command alive.
type stopper struct {
	group  int
	grace  time.Duration
	cancel func() bool
	// running is held by callbacks that may still come.
	running sync.WaitGroup

	mu    sync.Mutex // guards the following
	over  bool       // the group must not be signalled any more
	limit time.Time  // when the grace time ends; zero: not asked
	timer *time.Timer
}

// stopOnEnd returns a stopper of p, which must be ended before p is reaped.
func stopOnEnd(ctx context.Context, p *child, grace time.Duration) *stopper {
	s := &stopper{group: p.pid, grace: grace}
	s.running.Add(1)
	s.cancel = context.AfterFunc(ctx, s.ask)
	return s
}

func (s *stopper) ask() {
	defer s.running.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	s.limit = time.Now()
	if s.grace <= 0 {
		_ = unix.Kill(-s.group, unix.SIGKILL)
		return
	}
	s.limit = s.limit.Add(s.grace)
	_ = unix.Kill(-s.group, unix.SIGTERM)
	// One that stands still could not see to it.
	_ = unix.Kill(-s.group, unix.SIGCONT)
	s.running.Add(1)
	s.timer = time.AfterFunc(s.grace, s.kill)
}

func (s *stopper) kill() {
	defer s.running.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		_ = unix.Kill(-s.group, unix.SIGKILL)
	}
}

// asked reports whether the group was asked to stop, and until when it may take.
func (s *stopper) asked() (limit time.Time, yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limit, !s.limit.IsZero()
}

// end returns when nothing will be signalled any more. It may be called again.
func (s *stopper) end() {
	s.mu.Lock()
	again := s.over
	s.over = true
	s.mu.Unlock()
	if again {
		return
	}
	if s.cancel() {
		s.running.Done()
	}
	// The timer is set for good: over keeps ask from setting one from now on.
	if s.timer != nil && s.timer.Stop() {
		s.running.Done()
	}
	s.running.Wait()
}
