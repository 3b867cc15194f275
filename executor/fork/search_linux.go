package fork

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds, so that stopping takes no longer than the grace time and a second.
const (
	searchTime = 300 * time.Millisecond // to look through all processes
	dyingTime  = 100 * time.Millisecond // for a process to die of SIGKILL
)

// search finds and kills what left the process group of its command. Such
// processes are known by the DAGGY_KEY in the environment that they started
// with, which is that of one attempt, for ever. One look through all processes
// serves everyone who asks meanwhile: a run that is stopped asks for hundreds.
type search struct {
	turn sync.Mutex // held while looking

	mu   sync.Mutex // guards next
	next *round
}

// round is one look through all processes.
type round struct {
	left map[string][]process // by key: what could not be killed
	done chan struct{}
}

// kill ends all processes with this key and returns those that it could not.
func (s *search) kill(key string) []process {
	if key == "" {
		return nil
	}
	s.mu.Lock()
	r, first := s.next, s.next == nil
	if first {
		r = &round{left: map[string][]process{}, done: make(chan struct{})}
		s.next = r
	}
	r.left[key] = nil
	s.mu.Unlock()
	if !first {
		<-r.done
		return r.left[key]
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	s.next = nil
	s.mu.Unlock()
	defer close(r.done)
	r.run()
	return r.left[key]
}

// run looks again until nothing was found, as a process may fork while it is
// looked for.
func (r *round) run() {
	until := time.Now().Add(searchTime)
	for again := true; again && time.Now().Before(until); {
		again = false
		for pid := range processes(until) {
			again = r.visit(pid) || again
		}
	}
}

// visit kills a process that is looked for, and reports whether it did.
func (r *round) visit(pid int) bool {
	key, ok := r.marked(pid)
	if !ok {
		return false
	}
	err := killMarked(pid, func() bool { now, ok := r.marked(pid); return ok && now == key })
	if err == nil || errors.Is(err, unix.ESRCH) {
		return err == nil
	}
	s, _ := readStat(pid)
	left := process{pid, s.name}
	if !slices.Contains(r.left[key], left) {
		r.left[key] = append(r.left[key], left)
	}
	return false
}

var marker = []byte("\x00DAGGY_KEY=")

// marked returns which of the keys a process carries.
func (r *round) marked(pid int) (key string, ok bool) {
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return "", false
	}
	env = append([]byte{0}, env...)
	_, rest, found := bytes.Cut(env, marker)
	if !found {
		return "", false
	}
	value, _, _ := bytes.Cut(rest, []byte{0})
	_, ok = r.left[string(value)]
	return string(value), ok
}

// killMarked kills a process and waits for its end. ESRCH: it had ended before.
//
// The descriptor is taken first: if the process is still the marked one
// afterwards, the descriptor is that of the marked one, and no other can be hit
// even if the process ID goes to somebody else in between.
func killMarked(pid int, marked func() bool) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	if !marked() {
		return unix.ESRCH
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil {
		return err
	}
	return awaitDeath(fd, time.Now().Add(dyingTime))
}

// awaitDeath blocks a thread, for a short time.
func awaitDeath(pidfd int, until time.Time) error {
	poll := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(poll, int(max(time.Until(until), 0).Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
		case n == 0 && err == nil:
			return unix.ETIMEDOUT
		default:
			return err
		}
	}
}
