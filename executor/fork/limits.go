package fork

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"

	"github.com/hashicorp/go-multierror"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/internal/cgroup"
)

// Pids is the resource of processes and threads that a command may have at a time. The
// runner leases it like any other, so that [Config.Capacity] has to have it.
const Pids = "pids"

// DefaultPids is how many processes and threads a command may have that asks for memory
// or cores, and does not say: enough for anything but a fork bomb.
const DefaultPids = 4096

// Limits says how commands are held to what they ask for (E6), by control groups of
// Linux. The package comment says what that takes. The zero Limits enforce what can
// be enforced.
type Limits struct {
	// Mode says what becomes of limits that cannot be enforced.
	Mode LimitMode
	// Pids is how many processes and threads a command may have at a time, if its
	// job has no resource [Pids]. 0: [DefaultPids] for jobs that ask for memory or
	// cores, and any number for others: in version 1 a bound costs a few percent of
	// the rate of short commands. Negative: any number.
	Pids int64
}

// A LimitMode says what becomes of limits that this process cannot enforce.
type LimitMode int

// The modes there are.
const (
	// LimitsPossible enforces what can be enforced, and names the rest in
	// Result.Unenforced.
	LimitsPossible LimitMode = iota
	// LimitsRequired refuses jobs whose limits cannot be enforced.
	LimitsRequired
	// LimitsOff enforces nothing, and makes no control groups.
	LimitsOff
)

// of returns what the kernel is asked to hold a command to.
func (l Limits) of(r dag.Resources) cgroup.Limits {
	asked := cgroup.Limits{Pids: max(l.Pids, 0)}
	switch {
	case r[Pids] > 0:
		asked.Pids = r[Pids]
	case l.Pids == 0 && (r[dag.MemoryMB] > 0 || r[dag.Cores] > 0):
		asked.Pids = DefaultPids
	}
	if mb := r[dag.MemoryMB]; mb > 0 {
		asked.Memory = min(mb, math.MaxInt64>>20) << 20
	}
	if n := r[dag.Cores]; n > 0 && n < allCores() {
		asked.Cores = n
	}
	return asked
}

// allCores is what nobody can have more of.
func allCores() int64 { return int64(runtime.NumCPU()) }

// checkLimits says which of the limits asked for cannot be enforced.
func (e *Executor) checkLimits(asked cgroup.Limits) error {
	can, err := e.groups.Abilities()
	if err != nil {
		return &executor.NotStartedError{Err: fmt.Errorf("fork: %w", err)}
	}
	if can.Tree != nil {
		return &LimitError{Resource: "processes", Err: can.Tree}
	}
	var problems *multierror.Error
	need := func(wanted bool, name string, missing error) {
		if wanted && missing != nil {
			problems = multierror.Append(problems, &LimitError{Resource: name, Err: missing})
		}
	}
	need(asked.Memory > 0, dag.MemoryMB, can.Memory)
	need(asked.Cores > 0, dag.Cores, can.Cores)
	need(asked.Pids > 0, Pids, can.Pids)
	return problems.ErrorOrNil()
}

// Enforced returns the names of the resources that commands are held to by the kernel,
// sorted, and why they are not held to others that they could be held to. It may be
// asked at any time, and makes control groups to find out.
func (e *Executor) Enforced() (names []string, missing error) {
	if e.groups == nil {
		return nil, errors.New("fork: Config.Limits are off")
	}
	can, err := e.groups.Abilities()
	if err != nil {
		return nil, fmt.Errorf("fork: %w", err)
	}
	var problems *multierror.Error
	for _, r := range []struct {
		name    string
		missing error
	}{{dag.Cores, can.Cores}, {dag.MemoryMB, can.Memory}, {Pids, can.Pids}} {
		if r.missing == nil {
			names = append(names, r.name)
			continue
		}
		problems = multierror.Append(problems, fmt.Errorf("fork: %s: %w", r.name, r.missing))
	}
	return names, problems.ErrorOrNil()
}

// unenforced names the resources that the job asks for, sorted, that nothing holds
// the command to: they were only leased.
func unenforced(r dag.Resources, g *cgroup.Group) []string {
	held := g.Holds()
	var names []string
	for _, name := range slices.Sorted(maps.Keys(r)) {
		switch {
		case r[name] <= 0,
			name == dag.MemoryMB && held.Memory > 0,
			name == dag.Cores && (held.Cores > 0 || g != nil && r[name] >= allCores()),
			name == Pids && held.Pids > 0:
		default:
			names = append(names, name)
		}
	}
	return names
}
