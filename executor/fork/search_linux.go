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

// searchTime bounds a search, so that stopping takes no longer than the grace
// time and a second.
const searchTime = 500 * time.Millisecond

// search finds and kills what left the process group of its command. Such
// processes are known by the DAGGY_KEY in the environment that they started
// with, which is that of one attempt, for ever, and by the lock that they
// inherited, if there are locks. One look through all processes serves everyone
// who asks meanwhile: a run that is stopped asks for hundreds.
type search struct {
	locks *locks     // nil: there are none
	turn  sync.Mutex // held while looking

	mu   sync.Mutex // guards next
	next *round
}

// round is one look through all processes.
type round struct {
	locks *locks
	slots map[uint64]string    // the keys that have slots
	left  map[string][]process // by key: what could not be killed
	clean bool                 // the last look was whole, and found nothing
	done  chan struct{}
}

func newRound(l *locks) *round {
	return &round{
		locks: l,
		slots: map[uint64]string{},
		left:  map[string][]process{},
		done:  make(chan struct{}),
	}
}

// add makes the round look for a mark.
func (r *round) add(m mark) {
	r.left[m.key] = nil
	if m.slot != 0 {
		r.slots[m.slot] = m.key
	}
}

// kill ends all processes with this mark and returns those that it could not.
func (s *search) kill(m mark) []process {
	if m.key == "" {
		return nil
	}
	return s.look(m).left[m.key]
}

// clear kills too, and reports whether no process with this mark is there.
func (s *search) clear(m mark) bool {
	r := s.look(m)
	return r.clean && len(r.left[m.key]) == 0
}

// look returns after a look for this mark that began after the call.
func (s *search) look(m mark) *round {
	s.mu.Lock()
	r, first := s.next, s.next == nil
	if first {
		r = newRound(s.locks)
		s.next = r
	}
	r.add(m)
	s.mu.Unlock()
	if !first {
		<-r.done
		return r
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	s.next = nil
	s.mu.Unlock()
	defer close(r.done)
	r.run()
	return r
}

// run looks again until nothing was found, as a process may fork while it is
// looked for.
func (r *round) run() {
	until := time.Now().Add(searchTime)
	for time.Now().Before(until) {
		hit := r.strikeAll(unix.SIGKILL, until)
		if len(hit) == 0 {
			r.clean = time.Now().Before(until)
			return
		}
		for _, v := range hit {
			if v.awaitDeath(until) != nil {
				r.left[v.key] = append(r.left[v.key], v.process)
			}
		}
	}
}

// strikeAll sends a signal to all processes that are looked for.
func (r *round) strikeAll(signal unix.Signal, until time.Time) []victim {
	var hit []victim
	for pid := range processes(until) {
		if v, ok := r.strike(pid, signal); ok {
			hit = append(hit, v)
		}
	}
	return hit
}

// victim is a process that was sent a signal.
type victim struct {
	process
	key   string
	pidfd int
}

// strike sends a signal to a process if it is looked for.
//
// The descriptor is taken before the process is looked at for the second time:
// if it is the marked one then, the descriptor is that of the marked one, and no
// other can be hit even if the process ID goes to somebody else in between.
func (r *round) strike(pid int, signal unix.Signal) (victim, bool) {
	key, ok := r.marked(pid)
	if !ok {
		return victim{}, false
	}
	s, _ := readStat(pid)
	v := victim{process: process{pid, s.name}, key: key}
	if slices.Contains(r.left[key], v.process) {
		return victim{}, false
	}
	var err error
	if v.pidfd, err = unix.PidfdOpen(pid, 0); err != nil {
		r.give(v, err)
		return victim{}, false
	}
	if again, ok := r.marked(pid); !ok || again != key {
		_ = unix.Close(v.pidfd)
		return victim{}, false
	}
	if err := unix.PidfdSendSignal(v.pidfd, signal, nil, 0); err != nil {
		_ = unix.Close(v.pidfd)
		r.give(v, err)
		return victim{}, false
	}
	return v, true
}

// give notes a process that cannot be killed, unless it had ended by itself.
func (r *round) give(v victim, err error) {
	if !errors.Is(err, unix.ESRCH) {
		r.left[v.key] = append(r.left[v.key], v.process)
	}
}

var marker = []byte("\x00DAGGY_KEY=")

// marked returns which of the keys a process carries, or has inherited the lock of.
//
// The lock says nothing of a child of this process. The command that it belongs to
// has exited, and any other child has it only before its program is executed: until
// then it has all descriptors of this process. On a busy machine that may take long.
func (r *round) marked(pid int) (key string, ok bool) {
	if key, ok = r.named(pid); ok || r.locks == nil || len(r.slots) == 0 {
		return key, ok
	}
	if s, there := readStat(pid); !there || s.parent == os.Getpid() {
		return "", false
	}
	for _, slot := range r.locks.of(pid) {
		if key, ok = r.slots[slot]; ok {
			return key, true
		}
	}
	return "", false
}

// named returns which of the keys is in the environment of a process.
func (r *round) named(pid int) (key string, ok bool) {
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

// awaitDeath blocks a thread, for a short time.
func (v victim) awaitDeath(until time.Time) error {
	defer func() { _ = unix.Close(v.pidfd) }()
	poll := []unix.PollFd{{Fd: int32(v.pidfd), Events: unix.POLLIN}}
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
