package expand

import "strings"

// A text is a string of a job, cut at its placeholders when the task is
// compiled: literals, with values of list parameters between them. Values are
// put in as they are and never read for placeholders.
type text []part

// A part is a literal and the value that follows it.
type part struct {
	literal string
	axis    int // index of the list parameter; noAxis at the end of the text
}

const noAxis = -1

// whole reports whether the text is a placeholder and nothing else, so that it is
// its value.
func (t text) whole() bool {
	return len(t) == 2 && t[0].literal == "" && t[1].literal == "" && t[1].axis == noAxis
}

// at appends the text with these values, which are by axis, to b and returns
// it. If b has room for all texts of an instance they take one allocation.
func (t text) at(values []string, b *strings.Builder) string {
	if t.whole() {
		return values[t[0].axis]
	}
	from := b.Len()
	for _, p := range t {
		b.WriteString(p.literal)
		if p.axis != noAxis {
			b.WriteString(values[p.axis])
		}
	}
	return b.String()[from:]
}
