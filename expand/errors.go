package expand

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/daggy-go/daggy/dag"
)

type problem = dag.Problem

// maxProblems bounds how many problems are kept, as package dag does.
const maxProblems = 100

// problems collects what is wrong with a definition.
type problems struct {
	errs []error
	// more are those that were not kept, repeated those that were known.
	more, repeated int
	// seen has the problems of job defaults, which would come up again with
	// every task that takes them.
	seen map[problem]bool
	// known are the members about which package dag has complained. One
	// complaint is enough.
	known map[member]bool
}

// add adds err and reports whether it is kept.
func (p *problems) add(err error) bool {
	if len(p.errs) >= maxProblems {
		p.more++
		return false
	}
	p.errs = append(p.errs, err)
	return true
}

// addDefault adds a problem of the job defaults, unless it came up with another
// task. It is theirs and can be fixed there, so the task is only mentioned.
func (p *problems) addDefault(found *problem) bool {
	task := found.Task
	found.Task = ""
	if p.seen[*found] {
		p.repeated++
		return false
	}
	if p.seen == nil {
		p.seen = map[problem]bool{}
	}
	p.seen[*found] = true
	found.Text += fmt.Sprintf(" (task %s takes this default)", shorten(task))
	return p.addNew(found)
}

// A member is one of a task, or with task "" of the DAG.
type member struct{ task, field string }

// addNew adds what package dag may have found too.
func (p *problems) addNew(found *problem) bool {
	if p.known[member{found.Task, found.Field}] || p.known[member{"", found.Field}] {
		p.repeated++
		return false
	}
	return p.add(found)
}

// addAll adds what package dag found.
func (p *problems) addAll(err error) {
	if err == nil {
		return
	}
	many, ok := err.(*multierror.Error) //nolint:errorlint // wrapped, it is one error of its own
	if !ok {
		p.add(err)
		return
	}
	p.known = map[member]bool{}
	for _, e := range many.Errors {
		if found, ok := errors.AsType[*problem](e); ok {
			p.known[member{found.Task, found.Field}] = true
		}
		p.add(e)
	}
}

// total also counts what is not kept.
func (p *problems) total() int { return len(p.errs) + p.more + p.repeated }

func (p *problems) err() error {
	if len(p.errs) == 0 {
		return nil
	}
	if p.more > 0 {
		p.errs = append(p.errs, &problem{Text: fmt.Sprintf("and %d more problems", p.more)})
	}
	all := &multierror.Error{Errors: p.errs, ErrorFormat: format}
	return all.ErrorOrNil()
}

// format prints as package dag does: users see one list, whoever found it.
func format(errs []error) string {
	if len(errs) == 1 {
		return dag.ErrInvalid.Error() + ": " + errs[0].Error()
	}
	var b strings.Builder
	b.WriteString(dag.ErrInvalid.Error())
	b.WriteString(":")
	for _, err := range errs {
		b.WriteString("\n  ")
		b.WriteString(err.Error())
	}
	return b.String()
}

// A place is a string in a job. It becomes a text only if something is wrong.
type place struct {
	field    string // of the job
	index    int    // of the string in a list
	list     bool   // it is in a list
	entry    string // what stands there
	defaults bool   // it comes from the job defaults
}

// member is the place as a path in the JSON form of a definition.
func (at place) member() string {
	s := "job"
	if at.defaults {
		s = "jobDefaults"
	}
	if at.field != "" {
		s += "." + at.field
	}
	if at.list {
		s = fmt.Sprintf("%s[%d]", s, at.index)
	}
	return s
}

// String is the place as a person would say it, with a blank, or nothing.
func (at place) String() string {
	switch {
	case at.field == "environment":
		// Values may be secret, keys are not.
		key, _, _ := strings.Cut(at.entry, "=")
		return shorten(key) + " "
	case at.entry != "":
		return fmt.Sprintf("word %d ", at.index+1)
	default:
		return ""
	}
}

// problem adds a problem. The hint, which may be nil, is asked for only if it is
// kept.
func (c *compiler) problem(at place, text string, hint func() string) {
	p, add := &problem{Task: c.task.Name, Field: at.member(), Text: text}, c.found.addNew
	if at.defaults {
		add = c.found.addDefault
	}
	if add(p) && hint != nil {
		p.Hint = hint()
	}
}

// unknown reports a placeholder for which there is no parameter (D3).
func (c *compiler) unknown(name string, at place) {
	name = shorten(name)
	text := fmt.Sprintf("%srefers to {{%s}}, and there is no such parameter", at, name)
	c.problem(at, text, func() string {
		hint := fmt.Sprintf(`write \{{%s}} if the braces are meant as they are`, name)
		if near := nearest(name, c.task.Parameters, c.params); near != "" {
			hint = fmt.Sprintf("did you mean {{%s}}? (%s)", near, hint)
		}
		return hint
	})
}

func shorten(s string) string {
	const most = 80
	if len(s) > most {
		s = s[:most] + "…"
	}
	if q := strconv.Quote(s); len(q) != len(s)+2 {
		return q
	}
	return s
}
