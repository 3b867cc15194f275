package cgroup

import (
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Remains are what somebody has left behind who was killed.
type Remains struct {
	dirs []string
}

// Recall returns what was left behind in directories that [Config.Note] was told. The
// list comes from a file: what cannot have been noted is passed over, as all that is
// in these directories is going to be killed.
func Recall(dirs []string) Remains {
	return Remains{slices.DeleteFunc(slices.Clone(dirs), func(dir string) bool {
		return !filepath.IsAbs(dir) || filepath.Clean(dir) != dir ||
			!strings.HasPrefix(filepath.Base(dir), prefixSupervisor) ||
			filepath.Base(filepath.Dir(dir)) != common || !isGroup(dir)
	})}
}

// Dirs returns the directories that are left, for a list to be made anew.
func (r Remains) Dirs() []string { return r.dirs }

// isGroup reports whether a directory is a control group.
func isGroup(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil &&
		(st.Type == unix.CGROUP_SUPER_MAGIC || st.Type == unix.CGROUP2_SUPER_MAGIC)
}

// Empty reports whether nothing runs there.
func (r Remains) Empty() bool {
	for _, dir := range r.dirs {
		if len(members(dir)) > 0 {
			return false
		}
	}
	return true
}

// Signal sends a signal to everything that is there, once or more often.
func (r Remains) Signal(signal syscall.Signal) {
	for _, dir := range r.dirs {
		strikeEach(dir, signal)
	}
}

// Kill kills everything that is there, and reports whether nothing is left when the
// time is over.
func (r Remains) Kill(until time.Time) bool {
	for _, dir := range r.dirs {
		killAll(dir, until)
	}
	return r.Empty()
}

// Remove removes the directories, if nothing is in them.
func (r Remains) Remove() {
	for _, dir := range r.dirs {
		if remove(dir, time.Now().Add(removeTime)) == nil {
			_ = unix.Rmdir(filepath.Dir(dir))
		}
	}
}
