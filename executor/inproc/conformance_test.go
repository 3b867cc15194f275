package inproc_test

import (
	"context"
	"errors"
	"testing"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/executortest"
	"github.com/daggy-go/daggy/executor/inproc"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	play := func(ctx context.Context, c *inproc.Call) error {
		return inproc.ExitError(executortest.Play(ctx, executortest.Process{
			Args:        c.Args,
			Environment: c.Environ(),
			Stdout:      c.Stdout,
			Stderr:      c.Stderr,
		}))
	}
	lost := func(testing.TB) executortest.Fault {
		return executortest.Fault{
			Executor: failing(&executor.LostError{Err: errors.New("gone")}),
			Job:      executortest.Functions("f").Wait,
		}
	}
	executortest.Run(t, executortest.Config{
		New: func(testing.TB) executor.Executor {
			return inproc.New(inproc.Config{
				Funcs:     inproc.Funcs{"play": play},
				Allocator: capacity.New(capacity.Node{Total: dag.Resources{dag.Cores: 4}}),
			})
		},
		Jobs: executortest.Functions("play"),
		Lost: lost,
		Weaker: executortest.Weaker{
			CannotKill:    "a function cannot be ended from outside",
			NoDescendants: "functions start goroutines, which they wait for themselves",
		},
	})
}
