package dag

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Locate fills in the Line and Column of problems that were found after data,
// in the form that [Parse] or [ParseTasks] reads, had been decoded. What
// [DAG.Validate] finds can so be shown where it is written: the member, if there
// is one, else what it is missing from. It returns err.
//
// It alters each [*Problem] in err that has no place yet, and sorts those that
// were collected by their places. Cycles have none and come last.
func Locate(data []byte, err error) error {
	l := locator{scanner: newScanner(data, maxDepth), root: &signpost{}}
	l.collect(err)
	if len(l.wanted) == 0 {
		return err
	}
	l.walk(l.root, 1)
	for _, p := range l.wanted {
		if p.depth > 0 {
			l.found = append(l.found, finding{p.Problem, p.at})
		}
	}
	l.place()
	if multi := (*multierror.Error)(nil); errors.As(err, &multi) {
		slices.SortStableFunc(multi.Errors, byPlace)
	}
	return err
}

func byPlace(a, b error) int {
	lineA, columnA := placeOf(a)
	lineB, columnB := placeOf(b)
	return cmp.Or(cmp.Compare(lineA, lineB), cmp.Compare(columnA, columnB))
}

func placeOf(err error) (line, column int) {
	if p := (*Problem)(nil); errors.As(err, &p) && p.Line > 0 {
		return p.Line, p.Column
	}
	return math.MaxInt, 0
}

// A locator walks the text once, along signposts to the problems.
type locator struct {
	scanner
	root   *signpost
	wanted []*sought
}

// A signpost stands at a value in the text.
type signpost struct {
	members map[string]*signpost // "[1]": the second one
	ahead   []*sought            // what is here or further on
}

// sought is a problem, and the deepest place on the way to it that was reached.
type sought struct {
	*Problem
	at, depth int
}

func (l *locator) collect(err error) {
	if multi := (*multierror.Error)(nil); errors.As(err, &multi) {
		for _, e := range multi.Errors {
			l.collect(e)
		}
		return
	}
	if p := (*Problem)(nil); errors.As(err, &p) && p.Line == 0 {
		s := &sought{Problem: p}
		l.wanted = append(l.wanted, s)
		for _, path := range paths(p) {
			l.root.add(path, s)
		}
	}
}

// paths returns where the place of a problem can be, the likeliest first.
func paths(p *Problem) [][]string {
	field := strings.FieldsFunc(strings.ReplaceAll(p.Field, "[", ".["), func(r rune) bool {
		return r == '.'
	})
	if p.Task == "" {
		return [][]string{field}
	}
	fields := [][]string{field}
	switch {
	case len(field) > 1 && field[0] == "job":
		// Some members can stand beside the job, and resources have their own.
		fields = append(fields, field[1:], []string{"job", "resources", field[1]})
	case len(field) > 0 && field[0] == "retryIntervalSeconds":
		fields = append(fields, []string{"retry"})
	}
	var all [][]string
	for _, f := range fields {
		// In a definition, and in what a generator prints.
		own := append([]string{p.Task}, f...)
		all = append(all, append([]string{"tasks"}, own...), own)
	}
	return all
}

func (n *signpost) add(path []string, p *sought) {
	for i, name := range path {
		next := n.members[name]
		if next == nil {
			next = &signpost{}
			put(&n.members, name, next)
		}
		// All tasks together are no place for what concerns one.
		if p.Task == "" || slices.Contains(path[:i+1], p.Task) {
			next.ahead = append(next.ahead, p)
		}
		n = next
	}
}

// walk reads a value on the way to something.
func (l *locator) walk(n *signpost, depth int) {
	switch l.kind() {
	case object:
		l.enter()
		m := member{}
		for i := 0; l.next(&m); i++ {
			l.follow(n, string(m.key), i, m.at, depth)
		}
	case list:
		l.enter()
		for i := 0; l.element(i > 0); i++ {
			l.follow(n, "", i, l.at, depth)
		}
	default:
		l.skip()
	}
}

func (l *locator) follow(n *signpost, key string, index, at, depth int) {
	next := n.members[key]
	if next == nil {
		next = n.members["["+strconv.Itoa(index)+"]"]
	}
	if next == nil {
		l.skip()
		return
	}
	for _, p := range next.ahead {
		if p.depth < depth {
			p.at, p.depth = at, depth
		}
	}
	l.walk(next, depth+1)
}
