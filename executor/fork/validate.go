package fork

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/go-multierror"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/internal/invocation"
)

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
	for _, err := range []error{
		invocation.Check(job), invocation.CheckEnvironment(job.Environment),
	} {
		if err != nil {
			add(fmt.Errorf("fork: %w", err))
		}
	}
	add(e.checkResources(job.Resources))
	if e.limits.Mode == LimitsRequired {
		add(e.checkLimits(e.limits.of(job.Resources)))
	}
	for _, name := range slices.Sorted(maps.Keys(job.Options)) {
		add(fmt.Errorf("fork: %w", unknownOption(name)))
	}
	return problems.ErrorOrNil()
}

// ValidatePool reports every option: local processes take none.
func (e *Executor) ValidatePool(options map[string]any) error {
	var problems *multierror.Error
	for _, name := range slices.Sorted(maps.Keys(options)) {
		problems = multierror.Append(problems, fmt.Errorf("fork: pool %w", unknownOption(name)))
	}
	return problems.ErrorOrNil()
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
