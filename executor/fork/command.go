package fork

import (
	"fmt"
	"strings"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/expand"
	"github.com/daggy-go/daggy/internal/cgroup"
)

// command is what to execute, with everything settled that can be settled
// before a process exists.
type command struct {
	path string
	argv []string
	env  []string
	dir  string
	lock lock
	// cgroup is where it is started. Nil: where this process is.
	cgroup *cgroup.Group
}

// lock is what processes inherit that may outlive the engine, to prove that they
// are there.
type lock struct {
	fd   int
	slot uint64 // 0: there is no lock
}

// command makes the command of an attempt. Its errors are permanent where the
// job itself is at fault, since another attempt would fare no better.
func (e *Executor) command(a *executor.Attempt) (command, error) {
	argv, err := words(a.Job)
	if err != nil {
		return command{}, executor.Permanent(err)
	}
	if err := checkEnvironment(a.Job.Environment); err != nil {
		return command{}, executor.Permanent(err)
	}
	for name := range a.PoolOptions {
		return command{}, executor.Permanent(fmt.Errorf("fork: pool %w", unknownOption(name)))
	}
	env := e.inherited.with(a.Environ(), a.Job.WorkDir)
	path, err := lookPath(argv[0], variable(env, "PATH"))
	if err != nil {
		return command{}, err
	}
	return command{path: path, argv: argv, env: env, dir: a.Job.WorkDir}, nil
}

// words returns the argument vector of a job.
func words(job dag.Job) ([]string, error) {
	argv := job.Command
	if len(argv) == 0 && strings.TrimSpace(job.CommandString) != "" {
		var err error
		if argv, err = expand.Split(job.CommandString); err != nil {
			return nil, fmt.Errorf("fork: command %q: %w", job.CommandString, err)
		}
	}
	if len(argv) == 0 || argv[0] == "" {
		return nil, errNoCommand
	}
	return argv, nil
}
