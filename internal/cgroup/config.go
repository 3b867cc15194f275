package cgroup

// Config says whose groups those of a [Pool] are.
type Config struct {
	// Note is told the directories that are going to be used, before they are made,
	// by somebody who comes back for what is in them even after it was killed (see
	// [Recall]). If it fails, so does [Pool.Take]. Nil: what is left behind is killed
	// and removed by whoever begins next.
	Note func(dirs []string) error

	// places chooses among those there are. Nil: all of them.
	places func([]place) []place
}

func (c Config) prefix() string {
	if c.Note != nil {
		return prefixSupervisor
	}
	return prefixEngine
}

func (c Config) only(all []place) []place {
	if c.places != nil {
		return c.places(all)
	}
	return all
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
