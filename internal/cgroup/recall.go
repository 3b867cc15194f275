package cgroup

import (
	"path/filepath"
	"slices"
	"strings"
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
