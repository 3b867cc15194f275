package cgroup

import (
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A layout says where the groups are that this process is in.
type layout struct {
	// dirs has the directory of the own group by controller, [Unified] among them.
	// Paths are relative to the root of the file system.
	dirs map[string]string
	// controllers are those that the own group of version 2 has.
	controllers []string
	// top is the highest group of version 2 that can be seen.
	top string
}

// readLayout reads what the system says about this process below root.
func readLayout(root fs.FS) (layout, error) {
	l := layout{dirs: map[string]string{}}
	groups, err := Groups(root)
	if err != nil {
		return l, err
	}
	mounts, err := Mounts(root)
	if err != nil {
		return l, err
	}
	for _, controller := range []string{Unified, Memory, CPU, Pids, freezer} {
		group, ok := groups[controller]
		if !ok {
			continue
		}
		if dir, top, ok := find(mounts, controller, group); ok {
			l.dirs[controller] = dir
			if controller == Unified {
				l.top = top
			}
		}
	}
	if dir, ok := l.dirs[Unified]; ok {
		text, err := ReadText(root, path.Join(dir, "cgroup.controllers"))
		if err != nil {
			return l, err
		}
		l.controllers = strings.Fields(text)
	}
	return l, nil
}

// find returns the directory of a group, under the first mount that has it, and where
// that is mounted.
func find(mounts []Mount, controller, group string) (dir, top string, ok bool) {
	for _, m := range mounts {
		if below, ok := m.Below(group); ok && m.Has(controller) {
			return path.Join(m.Point, below), path.Clean(m.Point), true
		}
	}
	return "", "", false
}

// A place is one directory in which groups can be made, for some controllers.
type place struct {
	v2          bool
	dir         string
	controllers []string
	// top is the highest group that can be seen, in version 2.
	top string
}

// places returns where to make groups, version 2 first. Controllers that are mounted
// together are one place. A controller belongs to one version at a time.
func (l layout) places() []place {
	var all []place
	if dir, ok := l.dirs[Unified]; ok {
		all = append(all, place{
			v2: true, dir: "/" + dir, top: "/" + l.top, controllers: usable(l.controllers),
		})
	}
	for _, c := range []string{freezer, Memory, Pids, CPU} {
		dir, ok := l.dirs[c]
		if !ok {
			continue
		}
		i := slices.IndexFunc(all, func(p place) bool { return !p.v2 && p.dir == "/"+dir })
		if i < 0 {
			all = append(all, place{dir: "/" + dir})
			i = len(all) - 1
		}
		all[i].controllers = append(all[i].controllers, c)
	}
	return all
}

// usable returns those among the controllers of version 2 that limit something.
func usable(controllers []string) []string {
	var found []string
	for _, c := range []string{Memory, CPU, Pids} {
		if slices.Contains(controllers, c) {
			found = append(found, c)
		}
	}
	return found
}

// keyed returns the number behind a word in text of the form "word number", a line
// each. ok is false if there is none.
func keyed(text []byte, word string) (n int64, ok bool) {
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if key != word {
			continue
		}
		n, err := number(value)
		return n, err == nil
	}
	return 0, false
}

// words splits what a file has.
func words(text []byte) []string { return strings.Fields(string(text)) }

// number reads a number that the kernel has written. One that is larger than any
// machine can have is the largest.
func number(text string) (int64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	return int64(min(n, math.MaxInt64)), err
}
