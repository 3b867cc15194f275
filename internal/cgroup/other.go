//go:build !linux

package cgroup

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"
)

// A Group is nil where there are no control groups.
type Group struct{}

// A Pool makes no groups.
type Pool struct{}

// NewPool returns a pool that cannot make any.
func NewPool(Config) *Pool { return &Pool{} }

// Abilities says that nothing can be done.
func (*Pool) Abilities() (Abilities, error) {
	err := fmt.Errorf("there are control groups on linux alone, not on %s: %w",
		runtime.GOOS, errors.ErrUnsupported)
	return Abilities{Memory: err, Cores: err, Pids: err, Tree: err}, nil
}

// Take returns nil.
func (*Pool) Take(Limits) (*Group, error) { return nil, nil }

// Holds returns no limits.
func (*Group) Holds() Limits { return Limits{} }

// Start calls start.
func (*Group) Start(_ *syscall.SysProcAttr, start func() error) error { return start() }

// Kill does nothing.
func (*Group) Kill(time.Time) []int { return nil }

// KilledForMemory returns false.
func (*Group) KilledForMemory() (int64, bool) { return 0, false }

// Short returns false.
func (*Group) Short() bool { return false }

// Release does nothing.
func (*Group) Release() {}
