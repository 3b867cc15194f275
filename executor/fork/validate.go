package fork

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/daggy-go/daggy/dag"
)

var errNoCommand = errors.New("fork: no command: it must begin with the name of a program")

// Validate reports every field of job that a local process cannot use: a
// missing command, environment entries that are not "KEY=value", any option,
// for there are none, and resources that this machine could not be asked for.
// Whether the command exists is only known when it is run.
func (e *Executor) Validate(job dag.Job) error {
	var problems *multierror.Error
	add := func(err error) {
		if err != nil {
			problems = multierror.Append(problems, err)
		}
	}
	add(supported())
	if e.client != nil && e.client.err != nil {
		add(fmt.Errorf("fork: %w", e.client.err))
	}
	add(checkCommand(job))
	add(checkEnvironment(job.Environment))
	add(e.checkResources(job.Resources))
	if e.limits.Mode == LimitsRequired {
		add(e.checkLimits(job.Resources))
	}
	for _, name := range slices.Sorted(maps.Keys(job.Options)) {
		add(fmt.Errorf("fork: %w", unknownOption(name)))
	}
	return problems.ErrorOrNil()
}

// checkCommand splits no string that has words for certain, since there may be
// a million of them.
func checkCommand(job dag.Job) error {
	const special = "'\"\\#"
	plain := strings.TrimSpace(job.CommandString) != "" &&
		!strings.ContainsAny(job.CommandString, special)
	if len(job.Command) == 0 && plain {
		return nil
	}
	_, err := words(job)
	return err
}

// checkEnvironment leaves alone what placeholders may still turn into an entry.
func checkEnvironment(environ []string) error {
	for _, entry := range environ {
		k, _, found := strings.Cut(entry, "=")
		if found && k != "" || strings.Contains(entry, "{{") {
			continue
		}
		return fmt.Errorf("fork: environment: %q is not of the form KEY=value", entry)
	}
	return nil
}

func (e *Executor) checkResources(r dag.Resources) error {
	if e.detectErr == nil {
		return nil
	}
	for _, name := range unenforced(r, nil) {
		if name != dag.Cores {
			return fmt.Errorf("fork: resource %s: the capacity of this machine could not be"+
				" detected, set Config.Capacity: %w", name, e.detectErr)
		}
	}
	return nil
}

// unknownOption compares with the members of a job, because a job written in
// JSON makes an option of any member that it gets wrong.
func unknownOption(name string) error {
	members := []string{
		"command", "commandString", "environment", "workDir", "timeLimitSeconds",
		dag.Cores, dag.MemoryMB, "resources",
	}
	best := dag.Nearest(name, members)
	if best != "" {
		return fmt.Errorf("option %q is unknown; did you mean %s?", name, best)
	}
	return fmt.Errorf("option %q is unknown: local processes take none", name)
}
