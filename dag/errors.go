package dag

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/go-multierror"
)

// ErrInvalid is what [errors.Is] finds in every error about a definition: in
// each [*Problem], each [*CycleError], and what collects them.
var ErrInvalid = errors.New("invalid definition")

// A Problem is one thing that is wrong with a definition, for a person to fix.
//
// Functions of this package look for all problems before they return, and
// return them together as a [*multierror.Error], in definition order. It keeps
// the first hundred; the last Problem then says how many more there were.
//
//nolint:errname // It reads as what it is: errors are how it travels.
type Problem struct {
	// Line and Column, from 1, say where it is in the JSON text. The column
	// counts bytes. 0: the definition was not read from JSON, see [Locate].
	Line, Column int
	// Task is the name of the task concerned. "": none, the DAG itself.
	Task string
	// Field is the JSON name of the member concerned, with a path where it is
	// nested: "job.command". "": the task or DAG as a whole.
	Field string
	// Text says what is wrong and why.
	Text string
	// Hint says what to do about it. It may be empty.
	Hint string
}

// Error puts the place, the text and the hint into one line.
func (p *Problem) Error() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "line %d, column %d: ", p.Line, p.Column)
	}
	if p.Task != "" {
		b.WriteString("task ")
		b.WriteString(quote(p.Task))
		b.WriteString(": ")
	}
	if p.Field != "" {
		b.WriteString(p.Field)
		b.WriteString(": ")
	}
	b.WriteString(p.Text)
	if p.Hint != "" {
		b.WriteString("; ")
		b.WriteString(p.Hint)
	}
	return b.String()
}

// Is makes errors.Is(p, ErrInvalid) hold.
func (p *Problem) Is(target error) bool { return target == ErrInvalid }

// A CycleError reports tasks that wait for each other. Of tangled cycles (a
// strongly connected part of the graph) one is reported: the shortest through
// the task that is defined first.
type CycleError struct {
	// Path names the tasks from a parent to its child and so on. The last is
	// the first again.
	Path []string
}

// Error prints the path as "a → b → c → a", the middle of a very long one left
// out.
func (e *CycleError) Error() string {
	const head, tail = 12, 4
	quoted := make([]string, 0, head+tail+1)
	for i, name := range e.Path {
		switch {
		case i < head || i >= len(e.Path)-tail:
			quoted = append(quoted, plain(name))
		case i == head:
			quoted = append(quoted, fmt.Sprintf("… %d more …", len(e.Path)-head-tail))
		}
	}
	return "cycle: " + strings.Join(quoted, " → ") + "; remove one of these dependencies"
}

// Is makes errors.Is(e, ErrInvalid) hold.
func (e *CycleError) Is(target error) bool { return target == ErrInvalid }

// maxProblems bounds how many problems are kept: a million of them help nobody
// and would need more memory than the definition.
const maxProblems = 100

// problems collects what is wrong with a definition.
type problems struct {
	errs *multierror.Error
	more int
}

func (p *problems) add(err error) {
	if p.full() {
		p.more++
		return
	}
	p.errs = multierror.Append(p.errs, err)
}

// merge adds all that o has found.
func (p *problems) merge(o *problems) {
	if o.errs == nil {
		return
	}
	for _, err := range o.errs.Errors {
		p.add(err)
	}
	p.more += o.more
}

// full reports whether what is added from now on is only counted.
func (p *problems) full() bool { return p.errs != nil && len(p.errs.Errors) >= maxProblems }

func (p *problems) empty() bool { return p.errs == nil }

func (p *problems) err() error {
	if p.errs == nil {
		return nil
	}
	if p.more > 0 {
		rest := &Problem{Text: fmt.Sprintf("and %d more problems", p.more)}
		p.errs.Errors = append(p.errs.Errors, rest)
		p.more = 0
	}
	p.errs.ErrorFormat = formatProblems
	return p.errs.ErrorOrNil()
}

func formatProblems(errs []error) string {
	if len(errs) == 1 {
		return ErrInvalid.Error() + ": " + errs[0].Error()
	}
	var b strings.Builder
	b.WriteString(ErrInvalid.Error())
	b.WriteString(":")
	for _, err := range errs {
		b.WriteString("\n  ")
		b.WriteString(err.Error())
	}
	return b.String()
}

// quote is strconv.Quote for texts that people read: a long one is cut.
func quote(s string) string { return strconv.Quote(shorten(s)) }

// plain is quote, without the quotes where nothing needs them.
func plain(s string) string {
	short := shorten(s)
	if q := strconv.Quote(short); s == "" || len(q) != len(short)+2 {
		return q
	}
	return short
}

func shorten(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > most-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
