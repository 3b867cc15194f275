//go:build linux || darwin

package fork

import (
	"time"

	"golang.org/x/sys/unix"
)

// poller is a watch that blocks a thread in poll(2), which takes neither another
// descriptor nor anything to set up.
type poller struct {
	p      *child
	system *system
	fds    [3]unix.PollFd // the process and its outputs; -1: no more
	exited bool
	open   int  // outputs
	slot   bool // it is counted in system.threads
}

// newPoller returns one that cannot wait for the command if p has no descriptor.
func newPoller(s *system, p *child) *poller {
	w := &poller{p: p, system: s, open: len(p.outputs)}
	w.fds[0] = unix.PollFd{Fd: int32(p.pidfd), Events: unix.POLLIN}
	for i, o := range p.outputs {
		w.fds[i+1] = unix.PollFd{Fd: int32(o.fd), Events: unix.POLLIN}
	}
	return w
}

func (w *poller) exit() {
	for !w.exited {
		w.turn(-1)
	}
	w.fds[0].Fd = -1
}

func (w *poller) drain(until time.Time) bool {
	for w.open > 0 {
		left := max(time.Until(until), 0)
		const roundUp = time.Millisecond - 1
		w.turn(int((left + roundUp) / time.Millisecond))
		if left == 0 {
			break
		}
	}
	return w.open == 0
}

// turn waits for something to happen, for so many milliseconds, and deals with it.
func (w *poller) turn(ms int) {
	fds := w.fds[:1+len(w.p.outputs)]
	if n, err := unix.Poll(fds, ms); n <= 0 || err != nil {
		return // nothing yet, or interrupted
	}
	w.exited = w.exited || fds[0].Revents != 0
	for i, o := range w.p.outputs {
		if fds[i+1].Revents != 0 && o.readSome(&w.system.buffers) {
			w.end(i)
		}
	}
}

// end is called when output i was read to its end.
func (w *poller) end(i int) {
	w.fds[i+1].Fd = -1
	w.p.outputs[i].close()
	w.open--
}

func (w *poller) close() {
	if w.slot {
		w.slot = false
		w.system.threads.Add(-1)
	}
}
