package expand

import (
	"slices"

	"github.com/daggy-go/daggy/dag"
)

// nearest returns the parameter name that looks most like name, the first one
// by name of several, and "" if none is near.
func nearest(name string, params ...dag.Parameters) string {
	var known []string
	for _, p := range params {
		if len(p) > 1000 {
			// Not worth the time, nor is the first of so many.
			return ""
		}
		for k := range p {
			if isName(k) {
				known = append(known, k)
			}
		}
	}
	slices.Sort(known)
	return dag.Nearest(name, known)
}
