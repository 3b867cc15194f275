package cgroup

import (
	"slices"
	"time"
)

// A Group is where the processes of one attempt are. Its methods do nothing on nil,
// which is a group that cannot be made. They are for one goroutine at a time.
type Group struct {
	pool    *Pool
	asked   Limits
	limits  Limits  // those that are held
	parts   []*part // in the hierarchies that it takes; the first has all processes
	opened  bool    // its files are kept open
	vacant  bool    // nothing is in it, nor comes any more
	spoiled bool    // it must not be used again
}

// newGroup returns a group with limits, as far as they can be held, that is not made yet.
func newGroup(p *Pool, s *space, name string, l Limits) *Group {
	g := &Group{pool: p, asked: l, limits: s.can.without(l)}
	for i, h := range s.hierarchies {
		var limiting []string
		for _, controller := range h.controllers {
			if g.limits.of(controller) > 0 {
				limiting = append(limiting, controller)
			}
		}
		if i == 0 || len(limiting) > 0 {
			g.parts = append(g.parts, newPart(h, name, limiting))
		}
	}
	return g
}

// open has the files of the group kept open, or not.
func (g *Group) open(keep bool) {
	g.opened = keep
	for _, p := range g.parts {
		for _, f := range p.files() {
			f.keep = keep
		}
		// A list of processes is made when it is opened, and stays so.
		p.events.keep = keep && p.v2
	}
}

func (g *Group) make() error {
	for _, p := range g.parts {
		if err := p.make(g.limits); err != nil {
			return err
		}
	}
	return nil
}

// tree is the part that all processes are in.
func (g *Group) tree() *part { return g.parts[0] }

// Holds returns the limits among those asked for that the kernel holds the group to.
func (g *Group) Holds() Limits {
	if g == nil {
		return Limits{}
	}
	return g.limits
}

// Kill kills everything in the group, and returns what is there still when the time is
// over: what the kernel cannot end. Nothing may be started in it afterwards.
func (g *Group) Kill(until time.Time) (left []int) {
	if g == nil || g.vacant {
		return nil
	}
	if !g.tree().empty() {
		// Linux kills whatever is born from outside into a group that was killed once, as
		// it compares how often that was with how often the parent's group was (seen in
		// 6.18).
		g.spoiled = true
		left = killAll(g.tree().dir, until)
	}
	g.vacant = len(left) == 0
	return left
}

// KilledForMemory reports whether the kernel has killed a process of the group
// because all of them had more memory than the group may have, and the most that they
// ever had, in bytes. It is known on Linux 4.13 and later.
func (g *Group) KilledForMemory() (peak int64, yes bool) {
	p := g.limiting(Memory)
	if p == nil {
		return 0, false
	}
	kills := p.count(&p.memory, "oom_kill")
	if kills == p.kills {
		return 0, false
	}
	p.kills, g.spoiled = kills, true
	return p.peak(g.limits.of(Memory)), true // before Linux 5.19 there is none in version 2
}

// Short reports whether the memory that the group may have was not enough to start a
// process, after a start has failed for want of memory. Arguments and environment take
// a few megabytes at most; with more than that, it was the machine's memory.
func (g *Group) Short() bool {
	const enough = 16 << 20
	p := g.limiting(Memory)
	if p == nil || g.limits.of(Memory) >= enough || p.refusals() == 0 {
		return false
	}
	g.spoiled = true
	return true
}

// limiting returns the part in which a controller limits. Nil: it does not.
func (g *Group) limiting(controller string) *part {
	if g == nil {
		return nil
	}
	for _, p := range g.parts {
		if slices.Contains(p.limiting, controller) {
			return p
		}
	}
	return nil
}

// Release gives the group back. What still runs in it is left alone.
func (g *Group) Release() {
	if g != nil {
		g.pool.release(g)
	}
}

// reusable reports whether the group is as it was found.
func (g *Group) reusable() bool {
	if g.spoiled || !g.vacant && !g.tree().empty() || g.tree().divided() {
		return false
	}
	g.vacant = false
	for _, p := range g.parts {
		if !p.reusable() {
			return false
		}
	}
	return true
}

// destroy removes the group, if nothing is in it. Otherwise that is left to who closes
// the space, or to the next one who begins.
func (g *Group) destroy() {
	until := time.Now().Add(removeTime)
	for _, p := range g.parts {
		for _, f := range p.files() {
			f.close()
		}
		if len(members(p.dir)) == 0 {
			_ = remove(p.dir, until)
		}
	}
}
