//go:build linux || darwin

package fork_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
)

// An executor is mostly given to a runner, which makes the attempts.
func ExampleExecutor_Run() {
	e := fork.New(fork.Config{Grace: time.Minute})
	a := &executor.Attempt{
		Run: "nightly", Task: "greet", Instance: "greet", Number: 1, Key: "nightly-0-0-1",
		Job:    dag.Job{CommandString: "echo 'hello  world'"},
		Stdout: os.Stdout,
		Stderr: os.Stderr,
	}
	result, err := e.Run(context.Background(), a)
	_, _ = fmt.Fprintln(os.Stdout, result, err)
	// Output:
	// hello  world
	// success <nil>
}

func ExampleExecutor_Validate() {
	job := dag.Command("sort", "data")
	job.Options = map[string]any{"workdir": "/tmp"}
	_, _ = fmt.Fprint(os.Stdout, fork.New(fork.Config{}).Validate(job))
	// Output:
	// 1 error occurred:
	// 	* fork: option "workdir" is unknown; did you mean workDir?
}
