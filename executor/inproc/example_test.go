package inproc_test

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/inproc"
)

// A function is called like a command.
func Example() {
	ex := inproc.New(inproc.Config{Funcs: inproc.Funcs{
		"double": func(_ context.Context, c *inproc.Call) error {
			n, err := strconv.Atoi(c.Args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.Stdout, 2*n)
			return err
		},
	}})
	for _, arg := range []string{"21", "x"} {
		res, err := ex.Run(context.Background(), &executor.Attempt{
			Job: dag.Command("double", arg), Stdout: os.Stdout, Stderr: os.Stderr,
		})
		fmt.Println(res, err)
	}
	fmt.Println(ex.Validate(dag.Command("duoble", "21")) != nil)
	// Output:
	// 42
	// success <nil>
	// failure (exit 1) <nil>
	// true
}

// A generator is a function that returns tasks.
func ExampleGenerator() {
	ex := inproc.New(inproc.Config{Funcs: inproc.Funcs{
		"plan": inproc.Generator(func(_ context.Context, c *inproc.Call) ([]dag.Task, error) {
			var tasks []dag.Task
			for _, name := range c.Args {
				tasks = append(tasks, dag.Task{Name: name, Job: dag.Command("work", name)})
			}
			return tasks, nil
		}),
	}})
	res, err := ex.Run(context.Background(), &executor.Attempt{
		Job: dag.Command("plan", "a", "b"), Stdout: os.Stdout, Stderr: os.Stderr,
	})
	fmt.Println(res, err)
	// Output:
	// {"a":{"job":{"command":["work","a"]}},"b":{"job":{"command":["work","b"]}}}
	// success <nil>
}
