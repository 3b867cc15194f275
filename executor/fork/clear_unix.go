//go:build linux || darwin

package fork

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds, so that stopping takes no longer than the grace time and a second.
const (
	slack     = 100 * time.Millisecond // for output to end after its holder
	clearTime = 800 * time.Millisecond // for all that follows the killing of the group
	killTime  = 200 * time.Millisecond // for what the kernel kills to be gone
	startTime = 16 * time.Millisecond  // for others to have been started
)

// clear ends what a command left behind, and returns what it could not end. The
// command has exited and is still a zombie.
//
// What is left in the process group is killed. If the command was asked to stop,
// it has the rest of the grace time before that: a shell dies at once of the
// signal that makes its children clean up. What is left in its control group, if it
// has one, is killed then, wherever it went. Processes outside of both are looked for
// if the command was asked to stop, if its output stays open, or if its lock is held.
func (e *Executor) clear(p *child, w watch, stop *stopper) []process {
	limit, asked := stop.asked()
	if asked {
		p.awaitGroup(w, limit.Add(slack))
	}
	stop.end()
	p.killGroup()
	p.given = time.Now().Add(clearTime)
	ended := !asked && w.drain(time.Now().Add(max(e.waitDelay, 0)))
	p.given = time.Now().Add(clearTime)
	gone := len(p.cgroup.Kill(time.Now().Add(killTime))) == 0
	if ended && gone && !p.straggles(e.system.locks, time.Now().Add(startTime)) {
		return nil
	}
	left := e.system.search.kill(p.mark)
	left = append(left, named(p.cgroup.Kill(time.Time{}))...)
	if w.drain(time.Now().Add(slack)) {
		return e.holding(p, left)
	}
	found := holders(p.outputs, p.given)
	if len(left)+len(found) == 0 {
		found = []process{{name: "that holds the output"}}
	}
	return append(left, found...)
}

// holding adds to what is left of a command who holds its lock.
func (e *Executor) holding(p *child, left []process) []process {
	if len(left) == 0 && p.straggles(e.system.locks, p.given) {
		left = append(left, process{name: "that holds the lock"})
	}
	return left
}

// straggles reports whether anything has inherited the lock of p, and has it still
// at that time. A process that is being started has it too, for the moment before its
// program is executed.
func (p *child) straggles(l *locks, until time.Time) bool {
	const longest = 8 * time.Millisecond
	for pause := 250 * time.Microsecond; l.held(p.mark.slot); pause = min(2*pause, longest) {
		if time.Now().After(until) {
			return true
		}
		<-time.After(pause)
	}
	return false
}

// awaitGroup returns when nothing but the command itself is in its group, and
// reads output meanwhile.
func (p *child) awaitGroup(w watch, until time.Time) {
	const longest = 50 * time.Millisecond
	for pause := 2 * time.Millisecond; time.Now().Before(until); pause = min(2*pause, longest) {
		if len(alive(p.pid, until)) == 0 {
			return
		}
		next := time.Now().Add(pause)
		if w.drain(next) {
			<-time.After(time.Until(next))
		}
	}
}

// remains returns what is left of a group that was killed, after its leader was
// reaped. It sends no signal but 0, as the number may be anybody's by now. Nearly
// always the first look shows that the group is gone.
func (p *child) remains() []process {
	for pause := 200 * time.Microsecond; ; pause *= 2 {
		if errors.Is(unix.Kill(-p.pid, 0), unix.ESRCH) {
			return nil
		}
		left := alive(p.pid, time.Now().Add(slack))
		if len(left) == 0 || time.Now().After(p.given) {
			return left
		}
		<-time.After(pause)
	}
}
