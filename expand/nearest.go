package expand

import (
	"slices"
	"strings"

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
	// More than a third of the letters wrong is another name.
	best, found := min(3, (len(name)+2)/3)+1, ""
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k), best); d < best {
			best, found = d, k
		}
	}
	return found
}

// distance is the number of letters to insert, remove or replace to turn a into
// b, or most if it is not less than that.
func distance(a, b string, most int) int {
	if max(len(a)-len(b), len(b)-len(a)) >= most {
		return most
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := diagonal
			if a[i] != b[j] {
				d = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], d
		}
	}
	return min(most, row[len(b)])
}
