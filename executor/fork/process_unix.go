//go:build linux || darwin

package fork

import (
	"cmp"
	"fmt"
	"slices"
)

// mark is what the processes of an attempt have in common, for ever and wherever
// they go, unless they take the trouble to lose it.
type mark struct {
	key  string // in their environment
	slot uint64 // whose lock they have inherited; 0: none
}

// process is one that outlived its command.
type process struct {
	pid  int // 0: not known
	name string
}

func (p process) String() string {
	if p.pid == 0 {
		return "a process " + p.name
	}
	return fmt.Sprintf("process %d (%s)", p.pid, p.name)
}

// named looks up the names of processes.
func named(pids []int) []process {
	var all []process
	for _, pid := range pids {
		if name, ok := nameOf(pid); ok {
			all = append(all, process{pid, name})
		}
	}
	return all
}

// describe names each process once.
func describe(all []process) []string {
	slices.SortFunc(all, func(a, b process) int { return cmp.Compare(a.pid, b.pid) })
	var names []string
	for i, p := range all {
		if i == 0 || p.pid != all[i-1].pid {
			names = append(names, p.String())
		}
	}
	return names
}
