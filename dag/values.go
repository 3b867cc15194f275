package dag

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"
)

// A decoder reads the values that definitions are made of.
type decoder struct {
	scanner
	names, words arena
	scratch      []string
	guess        *guesser
	// generator: the text is the output of one.
	generator bool
	maxTasks  int
	// jobSeen are the members of a task's job that there were. Two of them may
	// stand beside the job.
	jobSeen uint32
}

func newDecoder(data []byte, l Limits) *decoder {
	return &decoder{scanner: newScanner(data, l.Depth), guess: newGuesser(), maxTasks: l.Tasks}
}

// in says that what is read now is a member of the task or its job.
func (d *decoder) in(field string) { d.field, d.sub, d.index = field, nil, -1 }

// text reads a string. A number stands for the text that it is written as.
func (d *decoder) text() (b []byte, ok bool) {
	switch k := d.kind(); k {
	case text:
		return d.string(), !d.broken
	case number:
		return d.number(), !d.broken
	default:
		d.refuse(k, "a string")
		return nil, false
	}
}

func (d *decoder) readText() string {
	b, _ := d.text()
	return d.words.string(b)
}

// readName is readText for a string of which a number can be no form.
func (d *decoder) readName() string {
	if !d.want(text, "a string") {
		return ""
	}
	return d.words.string(d.string())
}

func (d *decoder) readBool() bool {
	if !d.want(boolean, "true or false") {
		return false
	}
	return d.word()
}

// readList reads a list of strings, nil if there is none. It keeps nothing of
// an empty list but that it is one.
func (d *decoder) readList() []string {
	if !d.want(list, "a list of strings") {
		return nil
	}
	d.enter()
	d.scratch = d.scratch[:0]
	for d.index = 0; d.element(d.index > 0); d.index++ {
		if b, ok := d.text(); ok {
			d.scratch = append(d.scratch, d.words.string(b))
		}
	}
	d.index = -1
	if len(d.scratch) == 0 {
		return []string{}
	}
	return d.words.list(d.scratch)
}

// readNames is readList where an empty list means the same as none.
func (d *decoder) readNames() []string {
	if names := d.readList(); len(names) > 0 {
		return names
	}
	return nil
}

// amount reads a number, or a string that is one.
func (d *decoder) amount(what string) (string, bool) {
	switch k := d.kind(); k {
	case text:
		s := d.string()
		if isNumber(s) || d.broken {
			return string(s), !d.broken
		}
		d.notThat(what, string(s))
	case number:
		return string(d.number()), !d.broken
	default:
		d.refuse(k, what)
	}
	return "", false
}

// notThat reports that the last value, a text, is not what it must be.
func (d *decoder) notThat(what, s string) {
	d.report(d.start, "this must be "+what+", not "+quote(s), "")
}

// isNumber reports whether s is a number as JSON writes it.
func isNumber(s []byte) bool {
	n := newScanner(s, 0)
	n.number()
	return !n.broken && n.at == len(s)
}

func (d *decoder) readInt() int64 {
	const what = "a whole number"
	s, ok := d.amount(what)
	if !ok {
		return 0
	}
	if v, err := strconv.ParseInt(s, 10, 64); err == nil {
		return v
	}
	// Some programs write whole numbers as 2.0.
	v, err := strconv.ParseFloat(s, 64)
	if err == nil && v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return int64(v)
	}
	d.notThat(what, s)
	return 0
}

// readSeconds reads a duration.
func (d *decoder) readSeconds() time.Duration {
	const what = "a number of seconds"
	s, ok := d.amount(what)
	if !ok {
		return 0
	}
	v, ok := parseSeconds(s)
	if !ok {
		d.notThat(what, s)
	}
	return v
}

// printableYear reports whether RFC 3339 has the year of t, which is in UTC.
func printableYear(t time.Time) bool { return t.Year() >= 0 && t.Year() <= 9999 }

func (d *decoder) readTime() time.Time {
	if !d.want(text, "a time in a string") {
		return time.Time{}
	}
	s := string(d.string())
	v, err := time.Parse(time.RFC3339, s)
	// In UTC a time with an offset may fall out of the four digits of a year.
	if v = v.UTC(); err != nil || !printableYear(v) {
		d.report(d.start, "this must be a time as in RFC 3339, not "+quote(s),
			`write it as "2026-01-31T06:30:00Z"`)
	}
	return v
}

// each reads an object and calls f for each member, which reads the value.
func (d *decoder) each(what string, f func(m *member)) {
	if !d.want(object, what) {
		return
	}
	d.enter()
	outer := d.sub
	for m := (member{}); d.next(&m); {
		d.sub = m.key
		f(&m)
	}
	d.sub = outer
}

// twice reports a member that was there before, and skips it.
func (d *decoder) twice(m *member) {
	d.report(m.at, "this member is given twice", "remove one of them")
	d.skip()
}

func (d *decoder) readTexts() map[string]string {
	var texts map[string]string
	d.each("an object of strings", func(m *member) {
		key := d.words.string(m.key)
		if _, there := texts[key]; there {
			d.twice(m)
			return
		}
		put(&texts, key, d.readText())
	})
	return texts
}

func (d *decoder) readParameters() Parameters {
	var parameters Parameters
	d.each("an object of strings and lists of strings", func(m *member) {
		key := d.words.string(m.key)
		if _, there := parameters[key]; there {
			d.twice(m)
			return
		}
		if v, ok := d.readValue(); ok {
			put(&parameters, key, v)
		}
	})
	return parameters
}

func (d *decoder) readValue() (v Value, ok bool) {
	switch k := d.kind(); k {
	case list:
		return Value{list: d.readNames(), isList: true}, true
	case text, number:
		return Scalar(d.readText()), true
	default:
		d.refuse(k, "a string or a list of strings")
		return Value{}, false
	}
}

func (d *decoder) readResources(r *Resources) {
	d.each("an object of whole numbers", func(m *member) {
		key := d.words.string(m.key)
		if _, there := (*r)[key]; there {
			d.twice(m)
			return
		}
		d.readResource(r, key)
	})
}

func (d *decoder) readResource(r *Resources, name string) {
	if d.kind() == null {
		d.skip()
		return
	}
	put(r, name, d.readInt())
}

// readEnvironment reads a list of "KEY=value" or an object.
func (d *decoder) readEnvironment() []string {
	switch k := d.kind(); k {
	case list:
		return d.readNames()
	case object:
		return d.readVariables()
	default:
		d.refuse(k, `a list of "KEY=value" or an object`)
		return nil
	}
}

func (d *decoder) readVariables() []string {
	var entries []string
	seen := make(map[string]bool)
	d.each("an object of strings", func(m *member) {
		if seen[string(m.key)] {
			d.twice(m)
			return
		}
		seen[string(m.key)] = true
		if len(m.key) == 0 || slices.Contains(m.key, '=') {
			d.report(m.at, "this cannot be the name of a variable", "")
			d.skip()
			return
		}
		if b, ok := d.text(); ok {
			entries = append(entries, string(m.key)+"="+string(b))
		}
	})
	return entries
}

func (d *decoder) readOptions() map[string]any {
	var options map[string]any
	d.each("an object", func(m *member) { d.readOption(&options, m) })
	return options
}

func (d *decoder) readOption(options *map[string]any, m *member) {
	key := d.words.string(m.key)
	if _, there := (*options)[key]; there {
		d.twice(m)
		return
	}
	put(options, key, d.readAny())
}

// readAny reads any value, in the types of encoding/json, with numbers as they
// are written.
func (d *decoder) readAny() any {
	switch d.kind() {
	case object:
		m := map[string]any{}
		d.each("an object", func(at *member) { d.readOption(&m, at) })
		return m
	case list:
		l := []any{}
		d.enter()
		for d.element(len(l) > 0) {
			l = append(l, d.readAny())
		}
		return l
	case text:
		return d.words.string(d.string())
	case number:
		return json.Number(d.words.string(d.number()))
	case boolean:
		return d.word()
	case null:
		d.word()
	case noKind:
	}
	return nil
}

// put sets an element of a map that may be nil.
func put[M ~map[K]V, K comparable, V any](m *M, key K, value V) {
	if *m == nil {
		*m = make(M)
	}
	(*m)[key] = value
}
