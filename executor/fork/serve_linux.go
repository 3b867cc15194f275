package fork

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/executor/fork/internal/journal"
	"github.com/daggy-go/daggy/executor/fork/internal/wire"
	"github.com/daggy-go/daggy/internal/cgroup"
)

// idleTime is how long a supervisor without work and without engines stays.
const idleTime = time.Second

// A supervisor runs commands for engines and remembers how they ended.
type supervisor struct {
	state    string
	lock     *os.File // held until the process ends
	dir      *os.File // in which the listener will remove the socket
	journal  *journal.Journal
	locks    *locks
	system   *system
	groups   *cgroup.Pool
	remains  cgroup.Remains // of the supervisor before this one
	buried   chan struct{}  // closed when nothing is left of that
	listener *net.UnixListener
	running  sync.WaitGroup // of sessions and attempts

	mu       sync.Mutex // guards the following
	attempts map[string]*attempt
	sessions int
	idle     *time.Timer
	closing  bool
}

// serve is all that a supervisor does. It returns the exit code.
func serve(state string) int {
	ready := os.NewFile(readyDescriptor, "ready")
	s, err := newSupervisor(state)
	message := sayReady
	switch {
	case errors.Is(err, errBusy):
		message = sayBusy
	case err != nil:
		complain(err)
		message = strings.ReplaceAll(err.Error(), "\n", "; ")
		if comesBack(err) {
			message = sayLater + message
		}
	}
	_, _ = fmt.Fprintln(ready, message)
	_ = ready.Close()
	if err != nil {
		return 1
	}
	s.accept()
	return 0
}

// newSupervisor returns one that listens. It keeps the lock until the process ends.
func newSupervisor(state string) (*supervisor, error) {
	// Handled, and not ignored: commands would inherit that.
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGPIPE)
	// A few megabytes more, and much less work.
	debug.SetGCPercent(400)
	s := &supervisor{state: state, system: newSystem(), attempts: map[string]*attempt{}}
	var err error
	if s.lock, err = lockState(state); err != nil {
		return nil, err
	}
	if s.locks, err = openLocks(filepath.Join(state, slotsName)); err != nil {
		return nil, err
	}
	s.system.locks, s.system.search.locks = s.locks, s.locks
	boot := journal.Boot{ID: bootID(), Host: hostname()}
	if s.journal, err = journal.Open(state, boot); err != nil {
		return nil, err
	}
	if cut := s.journal.Cut(); cut > 0 {
		complain(fmt.Errorf("journal: an unfinished record of %d bytes was cut off", cut))
	}
	s.sweep()
	s.remains = recallGroups(state)
	s.groups = cgroup.NewPool(cgroup.Config{Note: s.noteGroups})
	if err := s.listen(); err != nil {
		return nil, err
	}
	s.idle = time.AfterFunc(idleTime, s.rest)
	s.bury(s.journal.Claimed())
	return s, nil
}

// bootID tells this boot of the machine from all others.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// sweep removes output that nobody can ask for.
func (s *supervisor) sweep() {
	dir := filepath.Join(s.state, outputName)
	entries, err := os.ReadDir(dir)
	if err != nil {
		complain(err)
		return
	}
	for _, entry := range entries {
		key, _, _ := strings.Cut(entry.Name(), ".")
		if s.journal.Entry(key).State == journal.Ended {
			continue
		}
		if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil {
			complain(err)
		}
	}
}

func (s *supervisor) listen() (err error) {
	if s.dir, err = openState(s.state); err != nil {
		return err
	}
	// This process has the lock, so the socket of another is of no use any more.
	path := socketPath(s.dir)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	s.listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	return err
}

// accept serves engines until there is nothing to do any more.
func (s *supervisor) accept() {
	for {
		conn, err := s.listener.AcceptUnix()
		if err == nil {
			s.greet(conn)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			break
		}
		complain(err)
		<-time.After(50 * time.Millisecond) // descriptors come back
	}
	s.running.Wait()
	if err := s.journal.Close(); err != nil {
		complain(err)
	}
}

// greet begins a session with an engine of the same user.
func (s *supervisor) greet(conn *net.UnixConn) {
	if err := checkPeer(conn); err != nil {
		complain(err)
		_ = conn.Close()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		_ = conn.Close()
		return
	}
	s.sessions++
	s.running.Go(func() {
		newSession(s, conn).serve()
		s.mu.Lock()
		s.sessions--
		s.mu.Unlock()
		s.rested()
	})
}

// rested is called when there may be nothing to do any more.
func (s *supervisor) rested() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions == 0 && len(s.attempts) == 0 {
		s.idle.Reset(idleTime)
	}
}

// rest ends the supervisor if there is nothing to do. Outcomes that could not be written
// are tried again, and would be lost with it.
func (s *supervisor) rest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions > 0 || len(s.attempts) > 0 || s.closing {
		return
	}
	if err := s.journal.Save(); err != nil {
		s.idle.Reset(idleTime)
		return
	}
	s.closing = true
	_ = s.listener.Close()
}

// find returns the attempt of a key, if there is one, or what is known of it. With
// start, an unused key is started.
func (s *supervisor) find(key string, start *wire.Start) (*attempt, journal.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.attempts[key]; a != nil {
		return a, journal.Entry{}
	}
	e := s.journal.Entry(key)
	if e.State != journal.Unused || start == nil {
		return nil, e
	}
	a := s.newAttempt(key)
	s.attempts[key] = a
	s.running.Go(func() { a.run(start) })
	return a, e
}

// done takes out an attempt that is over.
func (s *supervisor) done(a *attempt) {
	s.mu.Lock()
	delete(s.attempts, a.key)
	s.mu.Unlock()
	s.rested()
}

// closeKey makes sure that an unused key never starts. It reports false if the
// key has been used meanwhile.
func (s *supervisor) closeKey(key string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attempts[key] != nil {
		return false, nil
	}
	if err := s.journal.CloseKey(key); err != nil {
		return false, err
	}
	return s.journal.Entry(key).State == journal.Closed, nil
}

// local is an executor that runs what was asked for in this process.
func (s *supervisor) local(start *wire.Start) *Executor {
	e := &Executor{
		node: start.Node, grace: start.Grace, waitDelay: start.WaitDelay, system: s.system,
		limits: Limits{Mode: LimitMode(start.Mode), Pids: start.Pids},
	}
	if e.limits.Mode != LimitsOff {
		e.groups = s.groups
	}
	return e
}
