//go:build !linux && !darwin

package fork

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/daggy-go/daggy/executor"
)

// supported says why nothing runs here. Without a process group a command could
// be stopped while what it started went on, which rule E1 forbids.
func supported() error {
	return fmt.Errorf("fork: local processes are run on linux and darwin alone, not on %s,"+
		" for want of process groups: %w", runtime.GOOS, errors.ErrUnsupported)
}

func (e *Executor) run(
	context.Context, *executor.Attempt, command,
) (executor.Result, error) {
	return executor.Result{}, executor.Permanent(supported())
}

func lookPath(name, _ string) (string, error) { return name, nil }

type system struct{}

func newSystem() *system { return new(system) }
