package inproc

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/expand"
)

// errNoCommand is for jobs that have options but no command.
var errNoCommand = errors.New("inproc: no command: it must begin with the name of a function")

// placeholder is what rule D3 calls by that name. An escaped one matches too
// and is looked up at run time just the same.
var placeholder = regexp.MustCompile(`\{\{[A-Za-z0-9_-]+\}\}`)

func (e *Executor) validate(job *dag.Job) error {
	var problems *multierror.Error
	if err := e.validateCommand(job); err != nil {
		problems = multierror.Append(problems, err)
	}
	if len(job.Options) == 0 { // spares sorting nothing, a million times
		return problems.ErrorOrNil()
	}
	for _, name := range slices.Sorted(maps.Keys(job.Options)) {
		problems = multierror.Append(problems,
			fmt.Errorf("inproc: unknown option %q: functions take none", name))
	}
	return problems.ErrorOrNil()
}

func (e *Executor) validateCommand(job *dag.Job) error {
	name, err := firstWord(job)
	if err != nil {
		return err
	}
	if e.funcs[name] == nil && !placeholder.MatchString(name) {
		return e.unknown(name)
	}
	return nil
}

// firstWord spares definitions of a million tasks a copy of every command.
func firstWord(job *dag.Job) (string, error) {
	if len(job.Command) > 0 {
		return job.Command[0], nil
	}
	words, err := split(job)
	if err != nil {
		return "", err
	}
	return words[0], nil
}

func split(job *dag.Job) ([]string, error) {
	if job.CommandString == "" {
		return nil, errNoCommand
	}
	words, err := expand.Split(job.CommandString)
	if err != nil {
		return nil, fmt.Errorf("inproc: command %q: %w", job.CommandString, err)
	}
	return words, nil
}

// maxListed bounds how many names an error lists.
const maxListed = 20

func (e *Executor) unknown(name string) error {
	names := e.Names()
	var text strings.Builder
	fmt.Fprintf(&text, "inproc: unknown function %q", name)
	if best := dag.Nearest(name, names); best != "" {
		fmt.Fprintf(&text, "; did you mean %q?", best)
	}
	switch {
	case len(names) == 0:
		text.WriteString(" (none is known)")
	case len(names) > maxListed:
		fmt.Fprintf(&text, " (known: %s and %d more)",
			strings.Join(names[:maxListed], ", "), len(names)-maxListed)
	default:
		fmt.Fprintf(&text, " (known: %s)", strings.Join(names, ", "))
	}
	return errors.New(text.String())
}
