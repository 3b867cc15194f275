package inproc

import (
	"context"
	"fmt"

	"github.com/daggy-go/daggy/dag"
)

// Generator makes a function for generator tasks (D7) of one that returns the
// tasks. It prints them to Stdout in the form that [dag.ParseTasks] reads, so
// f must print nothing there itself. An error of f prints nothing and fails the
// attempt.
func Generator(f func(ctx context.Context, c *Call) ([]dag.Task, error)) Func {
	return func(ctx context.Context, c *Call) error {
		tasks, err := f(ctx, c)
		if err != nil {
			return err
		}
		text, err := dag.FormatTasks(tasks)
		if err != nil {
			return err
		}
		if _, err := c.Stdout.Write(text); err != nil {
			return fmt.Errorf("inproc: generated tasks: %w", err)
		}
		return nil
	}
}
