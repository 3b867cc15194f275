package fork

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/executor/fork/internal/wire"
	"github.com/daggy-go/daggy/internal/cgroup"
)

// Crowded makes e watch its commands as it does when it runs very many.
func Crowded(e *Executor) *Executor {
	e.system.threads.Add(maxThreads)
	return e
}

// SupervisorPID returns the process ID of the supervisor of a directory.
func SupervisorPID(dir string) (int, error) {
	state, err := openState(filepath.Join(dir, stateName))
	if err != nil {
		return 0, err
	}
	defer func() { _ = state.Close() }()
	conn, err := net.Dial("unix", socketPath(state))
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var peer *unix.Ucred
	var peerErr error
	err = raw.Control(func(fd uintptr) {
		peer, peerErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, peerErr); err != nil {
		return 0, err
	}
	return int(peer.Pid), nil
}

// ToldLate returns what those are told who come just after an attempt has ended.
func ToldLate(told, kept []byte) []byte {
	a := &attempt{}
	a.finish(wire.Ended, told, kept)
	return a.last.Body
}

// NoteGroups writes down control groups as the supervisor does whose files are in state.
func NoteGroups(state string, dirs []string) error {
	return (&supervisor{state: state}).noteGroups(dirs)
}

// NotedGroups returns what it has written down.
func NotedGroups(state string) ([]string, error) {
	return readGroups(filepath.Join(state, groupsName))
}

// GroupsOf returns the control groups that are there of those that a supervisor has
// noted.
func GroupsOf(dir string) []string {
	dirs, _ := NotedGroups(filepath.Join(dir, stateName))
	return cgroup.Recall(dirs).Dirs()
}

// AwaitGroups returns when the control groups of e are removed, which takes a moment
// after the last attempt.
func AwaitGroups(e *Executor) {
	for len(e.groups.Dirs()) > 0 {
		<-time.After(time.Millisecond)
	}
}

// Groups returns the directories of the control groups of e, as far as they are there.
func Groups(e *Executor) []string { return e.groups.Dirs() }

// Lock locks a slot of a new file, for commands to inherit. kill kills what has the
// lock, as when the command that it belongs to has exited, and says what is left.
func Lock(path string) (lock *os.File, kill func() []string, err error) {
	l, err := openLocks(path)
	if err != nil {
		return nil, nil, err
	}
	taken, err := l.take(1)
	if err != nil {
		return nil, nil, err
	}
	s := &search{locks: l}
	return os.NewFile(uintptr(taken.fd), path), func() []string {
		return describe(s.kill(mark{key: "exited", slot: taken.slot}))
	}, nil
}
