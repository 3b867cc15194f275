package executor_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

// A function is an executor.
func ExampleRunFunc() {
	ex := executor.RunFunc(
		func(_ context.Context, a *executor.Attempt) (executor.Result, error) {
			_, err := fmt.Fprintln(a.Stdout, a.Instance, "runs", a.Job.Command)
			return executor.Result{}, err
		})
	res, err := ex.Run(context.Background(), &executor.Attempt{
		Instance: "calc_1", Job: dag.Command("calc", "2030-01-01"), Stdout: os.Stdout,
	})
	fmt.Println(res, err)
	// Output:
	// calc_1 runs [calc 2030-01-01]
	// success <nil>
}

// traced is a wrapper that says what runs.
type traced struct{ executor.Executor }

func (t traced) Run(ctx context.Context, a *executor.Attempt) (executor.Result, error) {
	_, _ = fmt.Fprintln(a.Stderr, "runs", a.Instance)
	return t.Executor.Run(ctx, a)
}

// Unwrap lets As look further.
func (t traced) Unwrap() executor.Executor { return t.Executor }

// An ability is found through wrappers.
func ExampleAs() {
	ex := traced{durable{executor.RunFunc(succeed), true}}
	d, ok := executor.As[executor.Durable](ex)
	fmt.Println(ok && d.Durable())
	// Output: true
}

// The type of an error says whose fault it is.
func ExampleLostError() {
	err := fmt.Errorf("node-7: %w", &executor.LostError{Err: errors.New("rebooted")})
	if lost, ok := errors.AsType[*executor.LostError](err); ok {
		fmt.Println("try again without touching the retries:", lost.Err)
	}
	// Output: try again without touching the retries: rebooted
}
