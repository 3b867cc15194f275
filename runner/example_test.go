package runner_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/inproc"
	"github.com/daggy-go/daggy/runner"
)

func ExampleRun() {
	d := &dag.DAG{Tasks: []dag.Task{
		{Name: "report", Job: dag.Command("echo", "done"), Parents: []string{"measure"}},
		{Name: "measure", Job: dag.Command("echo", "42 mm")},
	}}
	report, err := runner.Run(context.Background(), d)
	if err != nil {
		fmt.Println(err)
		return
	}
	for t := range report.Tasks() {
		stdout, _ := t.Stdout()
		fmt.Printf("%s %s: %s", t.Name, t.State, stdout)
	}
	// Output:
	// report completed: done
	// measure completed: 42 mm
}

// Functions and commands go to pools of their own. A list parameter multiplies
// the task that refers to it.
func ExampleRunner_Run() {
	upper := func(_ context.Context, c *inproc.Call) error {
		_, err := fmt.Fprint(c.Stdout, strings.ToUpper(c.Args[0]))
		return err
	}
	r := runner.Runner{Pools: map[string]executor.Executor{
		"functions": inproc.New(inproc.Config{Funcs: inproc.Funcs{"upper": upper}}),
	}}
	d := &dag.DAG{
		Parameters: dag.Parameters{"WORD": dag.List("left", "right")},
		Tasks: []dag.Task{
			{Name: "shout", Pool: "functions", Job: dag.Command("upper", "{{WORD}}")},
			{Name: "rest", Job: dag.Command("true"), Parents: []string{"shout"}},
		},
	}
	report, err := r.Run(context.Background(), d)
	if err != nil {
		fmt.Println(err)
		return
	}
	shout, _ := report.Task("shout_2")
	stdout, _ := shout.Stdout()
	fmt.Printf("%s %s %v\n", shout.Name, stdout, report.Counts)
	// Output: shout_2 RIGHT map[completed:3]
}

// A Handle answers for a run that goes on.
func ExampleHandle_Why() {
	r := runner.Runner{Executor: inproc.New(inproc.Config{Funcs: inproc.Funcs{
		"wait": func(ctx context.Context, _ *inproc.Call) error {
			<-ctx.Done()
			return context.Cause(ctx)
		},
	}})}
	ctx := context.Background()
	h, err := r.Start(ctx, &dag.DAG{Tasks: []dag.Task{
		{Name: "first", Job: dag.Command("wait")},
		{Name: "second", Job: dag.Command("wait"), Parents: []string{"first"}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	why, err := h.Why("second")
	fmt.Println(why[0].Text, err)

	err = h.Abort(ctx, "seen enough")
	fmt.Println(h.Snapshot().State, err)
	// Output:
	// it waits for "first" <nil>
	// killed <nil>
}
