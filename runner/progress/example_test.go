package progress_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/inproc"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/runner/progress"
)

// Progress goes to standard error, so that it does not mix with the output.
func Example() {
	display := progress.New(os.Stderr, progress.Config{Every: time.Minute})
	r := runner.Runner{
		Executor: inproc.New(inproc.Config{Funcs: inproc.Funcs{
			"greet": func(context.Context, *inproc.Call) error { return nil },
		}}),
		Observers: []runner.Observer{display.Observer()},
	}
	report, err := r.Run(context.Background(), &dag.DAG{Tasks: []dag.Task{
		{Name: "hello", Job: dag.Command("greet", "world")},
	}})
	if err := display.Close(); err != nil { // before anything else is printed
		fmt.Println("no progress was shown:", err)
	}
	fmt.Println(report.State, err)
	// Output: completed <nil>
}
