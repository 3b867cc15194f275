// Command generator runs a task that decides what else there is to do.
//
// pull_files is a generator: the tasks that it returns join the run when it is
// done. It finds two files, and so makes calc_date_a and calc_date_b, which name
// generate_report as their child. That task waits for them too, although it did
// not know of them when the run began. It is a child of pull_files as well,
// otherwise it would have started at once.
//
// Here the generator is a Go function. It could be any command that prints tasks
// in JSON; see examples/run/testdata/generator.json.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/inproc"
	"github.com/daggy-go/daggy/runner"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	dir, err := os.MkdirTemp("", "generator-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // the system cleans up otherwise

	d := &dag.DAG{Tasks: []dag.Task{
		{
			Name:      "pull_files",
			Pool:      "functions",
			Job:       dag.Command("pull", dir),
			Generator: true,
			Children:  []string{"generate_report"},
		},
		{Name: "generate_report", Job: dag.Command("ls", dir)},
	}}
	r := runner.Runner{Pools: map[string]executor.Executor{
		"functions": inproc.New(inproc.Config{Funcs: inproc.Funcs{
			"pull": inproc.Generator(pull),
		}}),
	}}
	report, err := r.Run(ctx, d)
	if err != nil {
		return err
	}
	for t := range report.Tasks() {
		if _, err := fmt.Fprintln(out, t.State, t.Name); err != nil {
			return err
		}
	}
	last, _ := report.Task("generate_report")
	found, _ := last.Stdout()
	_, err = fmt.Fprintf(out, "generate_report found:\n%s", found)
	return err
}

// pull puts files into a directory and returns a task for each of them.
func pull(_ context.Context, c *inproc.Call) ([]dag.Task, error) {
	var tasks []dag.Task
	for _, name := range []string{"a", "b"} {
		file := filepath.Join(c.Args[0], name)
		if err := os.WriteFile(file, []byte("data of "+name+"\n"), 0o600); err != nil {
			return nil, err
		}
		tasks = append(tasks, dag.Task{
			Name:     "calc_date_" + name,
			Job:      dag.Command("cp", file, file+".result"),
			Children: []string{"generate_report"},
		})
	}
	return tasks, nil
}
