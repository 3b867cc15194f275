package cgroup

import "slices"

// OnlyVersion is a Config for one version of control groups.
func OnlyVersion(version int) Config {
	return Config{places: func(all []place) []place {
		return slices.DeleteFunc(slices.Clone(all), func(p place) bool {
			return p.v2 != (version == 2)
		})
	}}
}
