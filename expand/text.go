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

// A writer puts values into the texts of one instance. All of them come out of
// one allocation.
type writer struct {
	b      strings.Builder
	values []string // by axis
}

func (w *writer) write(t text) string {
	from := w.b.Len()
	for _, p := range t {
		w.b.WriteString(p.literal)
		if p.axis != noAxis {
			w.b.WriteString(w.values[p.axis])
		}
	}
	return w.b.String()[from:]
}
