package fork

import (
	"bytes"
	"fmt"
	"iter"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// processes yields the IDs of all processes but this one, until the time given:
// a machine may have very many.
func processes(until time.Time) iter.Seq[int] {
	return func(yield func(int) bool) {
		dir, err := os.Open("/proc")
		if err != nil {
			return
		}
		defer func() { _ = dir.Close() }()
		names, _ := dir.Readdirnames(-1)
		for _, name := range names {
			pid, err := strconv.Atoi(name)
			if err != nil || pid == os.Getpid() {
				continue
			}
			if time.Now().After(until) || !yield(pid) {
				return
			}
		}
	}
}

// alive returns the members of a process group that still run. Zombies do not;
// those that fell to this process, because it is the init of a container, are
// reaped on the way. The group's leader is left to its owner.
func alive(group int, until time.Time) []process {
	var found []process
	for pid := range processes(until) {
		if pgid, err := unix.Getpgid(pid); err != nil || pgid != group || pid == group {
			continue
		}
		s, ok := readStat(pid)
		switch {
		case !ok || s.group != group || s.state == 'X':
		case s.state != 'Z':
			found = append(found, process{pid, s.name})
		case s.parent == os.Getpid():
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
		}
	}
	return found
}

type stat struct {
	name          string
	state         byte
	parent, group int
}

// readStat parses /proc/PID/stat. The name is in parentheses and may hold any
// character, so the last one counts.
func readStat(pid int) (stat, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, false
	}
	first, last := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if first < 0 || last < first {
		return stat{}, false
	}
	fields := strings.Fields(string(text[last+1:]))
	if len(fields) < 3 {
		return stat{}, false
	}
	parent, _ := strconv.Atoi(fields[1])
	group, _ := strconv.Atoi(fields[2])
	name := string(text[first+1 : last])
	return stat{name: name, state: fields[0][0], parent: parent, group: group}, true
}

// holders returns the processes that have one of these pipes open.
func holders(outputs []*output, until time.Time) []process {
	pipes := map[string]bool{}
	for _, o := range outputs {
		var st unix.Stat_t
		if o.fd >= 0 && unix.Fstat(o.fd, &st) == nil {
			pipes[fmt.Sprintf("pipe:[%d]", st.Ino)] = true
		}
	}
	var found []process
	for pid := range processes(until) {
		if !holds(pid, pipes) {
			continue
		}
		if s, ok := readStat(pid); ok {
			found = append(found, process{pid, s.name})
		}
	}
	return found
}

func holds(pid int, pipes map[string]bool) bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, entry := range entries {
		if target, err := os.Readlink(dir + "/" + entry.Name()); err == nil && pipes[target] {
			return true
		}
	}
	return false
}

// nameOf returns what a process that runs is called.
func nameOf(pid int) (string, bool) {
	s, ok := readStat(pid)
	return s.name, ok && s.state != 'Z' && s.state != 'X'
}
