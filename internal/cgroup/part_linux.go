package cgroup

import (
	"path/filepath"
	"runtime"
	"slices"
)

// A part is what a group is in one hierarchy.
type part struct {
	v2       bool
	dir      string
	home     int      // descriptor through which threads come back to where this process is
	limiting []string // controllers

	// These are the files that every attempt needs.
	tasks, events, usage, memory, cpu, pids file

	kills     int64 // for want of memory, before this attempt
	throttled int64 // how often, before this attempt
}

func newPart(h *hierarchy, name string, limiting []string) *part {
	p := &part{v2: h.v2, dir: filepath.Join(h.dir, name), home: h.home, limiting: limiting}
	p.tasks = file{path: p.dir + "/tasks"}
	p.cpu = file{path: p.dir + "/cpu.stat"}
	p.events = file{path: p.dir + "/cgroup.procs"}
	p.pids = file{path: p.dir + "/pids.current"}
	p.usage = file{path: p.dir + "/memory.usage_in_bytes"}
	p.memory = file{path: p.dir + "/memory.oom_control"}
	if p.v2 {
		p.tasks.path = p.dir // of which a process is made a member
		p.events.path = p.dir + "/cgroup.events"
		p.usage.path = p.dir + "/memory.current"
		p.memory.path = p.dir + "/memory.events"
	}
	return p
}

func (p *part) make(l Limits) error {
	if err := makeDir(p.dir); err != nil {
		return err
	}
	for _, controller := range p.limiting {
		if err := apply(p.dir, settings(p.v2, controller, l.of(controller))); err != nil {
			return err
		}
	}
	return nil
}

// empty reports whether nothing runs in the part. Zombies do not.
func (p *part) empty() bool {
	text, err := p.events.read()
	if err == nil {
		if n, ok := keyed(text, "populated"); p.v2 && ok && n == 0 {
			return true
		}
		if !p.v2 && len(text) == 0 && !hasSubdirs(p.dir) {
			return true
		}
	}
	return len(members(p.dir)) == 0
}

// divided reports whether there are groups in the part.
func (p *part) divided() bool {
	if p.v2 && p.tasks.fd != 0 {
		return hasLinks(p.tasks.fd)
	}
	return hasSubdirs(p.dir)
}

// residue is how much memory may still be counted in a group that is used again, besides
// what the kernel sets aside for each processor and takes back when there is need.
const (
	residue     = 1 << 20
	residueEach = 256 << 10
)

// reusable reports whether the part is as it was found, provided it is empty.
func (p *part) reusable() bool {
	// Who is started where no time is left waits for more, and all that this process
	// wants to start waits too.
	if slices.Contains(p.limiting, CPU) && p.count(&p.cpu, "nr_throttled") != p.throttled {
		return false
	}
	// Zombies count, until whoever they have fallen to has waited for them.
	if slices.Contains(p.limiting, Pids) && p.pids.number(1) > 0 {
		return false
	}
	if !slices.Contains(p.limiting, Memory) {
		return true
	}
	room := residue + residueEach*int64(runtime.NumCPU())
	return p.usage.number(room+1) <= room && p.count(&p.memory, "oom_kill") == p.kills
}

// count returns how often something has happened.
func (p *part) count(f *file, word string) int64 {
	text, err := f.read()
	if n, ok := keyed(text, word); err == nil && ok {
		return n
	}
	return 0
}

// refusals returns how often there was no more memory.
func (p *part) refusals() int64 {
	if p.v2 {
		return p.count(&p.memory, "max")
	}
	failures := file{path: p.dir + "/memory.failcnt"}
	return failures.number(0)
}

// peak returns the most memory that the group ever had, or what is given if that is not
// known.
func (p *part) peak(otherwise int64) int64 {
	f := file{path: p.dir + "/memory.max_usage_in_bytes"}
	if p.v2 {
		f.path = p.dir + "/memory.peak"
	}
	return f.number(otherwise)
}

// files are those that may be kept open.
func (p *part) files() [6]*file {
	return [...]*file{&p.tasks, &p.events, &p.usage, &p.memory, &p.cpu, &p.pids}
}
