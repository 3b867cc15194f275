package cgroup

import "strconv"

// Limits are what the processes of a group may have together. Zero: no limit.
type Limits struct {
	// Memory in bytes, swap included. Less than [LeastMemory] is as much as that.
	Memory int64
	// Cores is how much processor time they get in a period of time, in periods.
	Cores int64
	// Pids is how many processes and threads there may be at a time, two at least.
	Pids int64
}

// LeastMemory is what a process can be started with. While it is started, a thread of
// this process may be in the group too, which must not run out of memory.
const LeastMemory = 4 << 20

// leastPids leaves room for that thread.
const leastPids = 2

// Names of controllers.
const (
	Memory  = "memory"
	CPU     = "cpu"
	Pids    = "pids"
	freezer = "freezer" // version 1 alone
)

// period of processor time in microseconds, which is the kernel's own default.
const period = 100_000

// of is the limit that a controller holds a group to, in its own unit.
func (l Limits) of(controller string) int64 {
	switch {
	case controller == Memory && l.Memory > 0:
		return max(l.Memory, LeastMemory)
	case controller == CPU && l.Cores > 0:
		return l.Cores * period
	case controller == Pids && l.Pids > 0:
		return max(l.Pids, leastPids)
	}
	return 0
}

// A setting is what has to be written to a file of a group.
type setting struct {
	file, value string
	optional    bool     // the file may be missing
	instead     *setting // if it is missing
}

// limitFile is the file of a controller without which it does not limit.
func limitFile(v2 bool, controller string) string {
	switch {
	case controller == Memory && v2:
		return "memory.max"
	case controller == Memory:
		return "memory.limit_in_bytes"
	case controller == CPU && v2:
		return "cpu.max"
	case controller == CPU:
		return "cpu.cfs_quota_us"
	case controller == Pids:
		return "pids.max"
	}
	return "freezer.state"
}

// settings returns what makes a limit of a new group, in the order in which it has to
// be written.
func settings(v2 bool, controller string, limit int64) []setting {
	value := strconv.FormatInt(limit, 10)
	first := setting{file: limitFile(v2, controller), value: value}
	switch {
	case controller == Memory && v2:
		return []setting{
			first,
			{file: "memory.swap.max", value: "0", optional: true},
			// If one is killed, all of them are: the others would wait for it.
			{file: "memory.oom.group", value: "1", optional: true},
		}
	case controller == Memory:
		// That of memory and swap together is never less than that of memory alone.
		return []setting{first, {
			file: "memory.memsw.limit_in_bytes", value: value,
			instead: &setting{file: "memory.swappiness", value: "0", optional: true},
		}}
	case controller == CPU && v2:
		first.value = value + " " + strconv.Itoa(period)
		return []setting{first, weight(v2, limit/period)}
	case controller == CPU:
		return []setting{
			{file: "cpu.cfs_period_us", value: strconv.Itoa(period)},
			first,
			weight(v2, limit/period),
		}
	}
	return []setting{first}
}

// weight is what a group gets of processors that are short: as much as so many processes
// without a group.
func weight(v2 bool, cores int64) setting {
	const each, most, eachV2, mostV2 = 1024, 1 << 18, 100, 10_000
	if v2 {
		return setting{
			file: "cpu.weight", value: strconv.FormatInt(min(cores*eachV2, mostV2), 10),
			optional: true,
		}
	}
	return setting{
		file: "cpu.shares", value: strconv.FormatInt(min(cores*each, most), 10),
		optional: true,
	}
}

// Abilities says for each kind of limit why it cannot be held. Nil: it can.
type Abilities struct {
	Memory, Cores, Pids error
	// Tree is the ability to find and kill all of a group. Without it there are none.
	Tree error
}

// set notes why a controller is of no use.
func (a *Abilities) set(controller string, err error) {
	switch controller {
	case Memory:
		a.Memory = err
	case CPU:
		a.Cores = err
	case Pids:
		a.Pids = err
	}
}

// without is what is left of limits that can be held.
func (a *Abilities) without(l Limits) Limits {
	if a.Memory != nil {
		l.Memory = 0
	}
	if a.Cores != nil {
		l.Cores = 0
	}
	if a.Pids != nil {
		l.Pids = 0
	}
	return l
}

// An Error says what could not be done with a group. Nothing was started.
type Error struct {
	Do  string // such as "make"
	Err error  // names the file
}

// Error has everything in one line.
func (e *Error) Error() string { return e.Do + " control group: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
