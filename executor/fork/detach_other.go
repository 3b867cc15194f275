//go:build !linux

package fork

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/daggy-go/daggy/executor"
)

// client says why commands do not outlive the engine here.
type client struct{ err error }

func newClient(string) *client {
	return &client{fmt.Errorf("Config.Dir: commands outlive the engine on linux alone,"+
		" not on %s, for want of locks that tell whether they live: %w",
		runtime.GOOS, errors.ErrUnsupported)}
}

func (c *client) run(
	context.Context, *Executor, *executor.Attempt,
) (executor.Result, error) {
	return executor.Result{}, executor.Permanent(fmt.Errorf("fork: %w", c.err))
}

func (c *client) forget(context.Context, []string) error { return c.err }
