package cgroup

import "slices"

// Config says whose groups those of a [Pool] are.
type Config struct {
	// Note is told the directories that are going to be used, before they are made,
	// by somebody who comes back for what is in them even after it was killed (see
	// [Recall]). If it fails, so does [Pool.Take]. Nil: what is left behind is killed
	// and removed by whoever begins next.
	Note func(dirs []string) error
	// Version of control groups, 1 or 2. 0: whichever has what is wanted, some of each
	// if need be.
	Version int
}

func (c Config) prefix() string {
	if c.Note != nil {
		return prefixSupervisor
	}
	return prefixEngine
}

// only chooses among the places that there are.
func (c Config) only(all []place) []place {
	return slices.DeleteFunc(all, func(p place) bool {
		return c.Version == 1 && p.v2 || c.Version == 2 && !p.v2
	})
}

// note tells who comes back for it what is going to be there.
func (c Config) note(places []place, owner string) error {
	if c.Note == nil {
		return nil
	}
	var dirs []string
	for _, p := range places {
		dirs = append(dirs, ownerDir(p.dir, owner))
	}
	return c.Note(dirs)
}
