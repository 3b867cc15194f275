//go:build linux || darwin

package fork

import (
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/internal/cgroup"
)

// Portable makes e watch its commands as it does where there are no process
// descriptors.
func Portable(e *Executor) *Executor {
	e.system.newWatch = func(s *system, p *child) watch { return newCopiers(s, p) }
	return e
}

// WithoutLimits makes e run commands without control groups.
func WithoutLimits(e *Executor) *Executor {
	e.limits.Mode, e.groups = LimitsOff, nil
	return e
}

// RequireLimits makes e refuse what it cannot hold to its limits.
func RequireLimits(e *Executor) *Executor {
	e.limits.Mode = LimitsRequired
	return e
}

// RequirePids makes e hold every command to a number of processes and threads.
func RequirePids(e *Executor, n int64) *Executor {
	e.limits.Pids = n
	return RequireLimits(e)
}

// Asked is what the kernel is asked to hold a command to.
func Asked(l Limits, r dag.Resources) cgroup.Limits { return l.of(r) }

// OfVersion makes executors use control groups of one version alone.
func OfVersion(version int) func(*Executor) *Executor {
	return func(e *Executor) *Executor {
		e.groups = cgroup.NewPool(cgroup.Config{Version: version})
		return e
	}
}

// Explain explains what kept a command from being executed.
func Explain(err error) error { return explain(err, command{argv: []string{"/command"}}) }
