package runnertest

import (
	"context"
	"io"
	"time"

	"github.com/daggy-go/daggy/executor/inproc"
)

// Print is a command that prints text and succeeds.
func Print(text string) inproc.Func {
	return func(_ context.Context, c *inproc.Call) error {
		_, err := io.WriteString(c.Stdout, text)
		return err
	}
}

// Exit is a command that ends with this exit code. Exit(0) succeeds.
func Exit(code int) inproc.Func {
	return func(context.Context, *inproc.Call) error { return inproc.ExitError(code) }
}

// Take is a command that takes this long, in virtual time, and then does what f
// does. Nil: it succeeds. If it is stopped before, it fails.
func Take(d time.Duration, f inproc.Func) inproc.Func {
	return func(ctx context.Context, c *inproc.Call) error {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if f == nil {
			return nil
		}
		return f(ctx, c)
	}
}

// FailFirst is a command whose first n attempts, of each instance, exit with 1.
// Later ones do what f does. Nil: they succeed.
func FailFirst(n int, f inproc.Func) inproc.Func {
	return func(ctx context.Context, c *inproc.Call) error {
		switch {
		case c.Attempt.Number <= n:
			return inproc.ExitError(1)
		case f == nil:
			return nil
		}
		return f(ctx, c)
	}
}
