package cgroup

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// members returns the processes in a group and in those below it, but for this one,
// a thread of which may be there for a moment.
func members(dir string) []int {
	text, _ := os.ReadFile(dir + "/cgroup.procs")
	var pids []int
	for word := range strings.FieldsSeq(string(text)) {
		// Those of another namespace are 0.
		if pid, err := strconv.Atoi(word); err == nil && pid > 0 && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	for _, below := range subdirs(dir) {
		pids = append(pids, members(below)...)
	}
	return pids
}

// killAll kills everything in a group and in those below it, and returns what is
// there still when the time is over.
func killAll(dir string, until time.Time) []int {
	const longest = 20 * time.Millisecond
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, longest) {
		left := members(dir)
		if len(left) == 0 {
			return nil
		}
		strikeAll(dir, unix.SIGKILL)
		if time.Now().After(until) {
			return left
		}
		<-time.After(pause)
	}
}

// strikeAll sends a signal to everything in a group. Where the kernel cannot do that
// at once, processes that fork meanwhile get away, unless they are frozen first; who
// needs them all has to look again.
func strikeAll(dir string, signal unix.Signal) {
	if signal == unix.SIGKILL && write(dir+"/cgroup.kill", "1") == nil {
		return
	}
	frozen := freeze(dir, true)
	strikeEach(dir, signal)
	if frozen {
		freeze(dir, false)
	}
}

func freeze(dir string, yes bool) bool {
	legacy, unified := "THAWED", "0"
	if yes {
		legacy, unified = "FROZEN", "1"
	}
	return write(dir+"/freezer.state", legacy) == nil ||
		write(dir+"/cgroup.freeze", unified) == nil
}

// strikeEach sends a signal to each process in a group. The descriptors are taken
// before it is looked at for the second time: what is in the group then is what they
// stand for, even if process IDs have gone to others in between.
func strikeEach(dir string, signal unix.Signal) {
	found := map[int]int{}
	for _, pid := range members(dir) {
		fd, err := unix.PidfdOpen(pid, 0)
		switch {
		case err == nil:
			found[pid] = fd
		case errors.Is(err, unix.ENOSYS): // before Linux 5.3
			_ = unix.Kill(pid, signal)
		}
	}
	if len(found) == 0 {
		return
	}
	still := members(dir)
	for pid, fd := range found {
		if slices.Contains(still, pid) {
			_ = unix.PidfdSendSignal(fd, signal, nil, 0)
		}
		_ = unix.Close(fd)
	}
}
