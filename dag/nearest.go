package dag

import "strconv"

// Nearest returns what a mistyped name was probably meant to be: the first of
// the candidates that are nearest to it, or "" if none is near. It is for errors
// that say "did you mean", as those of this package do.
func Nearest(name string, candidates []string) string {
	return newGuesser().nearest(name, candidates)
}

// A guesser finds what a mistyped name was meant to be. It makes a bounded
// number of comparisons over its life: in a definition with a million tasks
// and a thousand wrong names the last ones get no guess.
type guesser struct{ budget int }

func newGuesser() *guesser { return &guesser{budget: 4_000_000} }

// nearest returns the first of the candidates that are nearest to name, and
// "" if none is near.
func (g *guesser) nearest(name string, candidates []string) string {
	if g.budget < len(candidates) || len(name) > MaxName {
		return ""
	}
	g.budget -= len(candidates)
	// More than a third of the letters wrong is another name.
	best, found := min(3, len(name)/3)+1, ""
	for _, c := range candidates {
		if d := distance(name, c, best); d < best {
			best, found = d, c
		}
		if best == 0 {
			break
		}
	}
	return found
}

// didYouMean is the hint with the name that nearest finds.
func (g *guesser) didYouMean(name string, candidates []string) string {
	if found := g.nearest(name, candidates); found != "" {
		return "did you mean " + strconv.Quote(found) + "?"
	}
	return ""
}

// distance is the number of bytes to insert, remove, replace or swap with the
// next to turn a into b, in which case counts nothing; or most if it is not
// less than that.
func distance(a, b string, most int) int {
	for len(a) > 0 && len(b) > 0 && lower(a[0]) == lower(b[0]) {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && lower(a[len(a)-1]) == lower(b[len(b)-1]) {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) >= most || len(b) > MaxName {
		return most
	}
	if len(a) == 0 {
		return len(b)
	}
	return min(most, editDistance(a, b, most))
}

func editDistance(a, b string, most int) int {
	// Three rows of the usual table, for swaps look two rows back.
	var rows [3][MaxName + 1]int
	before, last, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		least := row[0]
		for j := range len(b) {
			d := last[j]
			if lower(a[i]) != lower(b[j]) {
				d = 1 + min(d, last[j+1], row[j])
			}
			if i > 0 && j > 0 && lower(a[i]) == lower(b[j-1]) && lower(a[i-1]) == lower(b[j]) {
				d = min(d, before[j-1]+1)
			}
			row[j+1] = d
			least = min(least, d)
		}
		if least >= most {
			return most
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
