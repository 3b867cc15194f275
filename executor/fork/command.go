package fork

import (
	"fmt"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/internal/cgroup"
	"github.com/daggy-go/daggy/internal/invocation"
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
	argv, err := invocation.Words(a.Job)
	if err == nil {
		err = invocation.CheckEnvironment(a.Job.Environment)
	}
	if err != nil {
		return command{}, executor.Permanent(fmt.Errorf("fork: %w", err))
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
