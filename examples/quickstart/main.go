// Command quickstart measures Go's standard library.
//
//	go run ./examples/quickstart
//
// The whole program is one DAG. Its first task lists the packages and generates
// four tasks for each: two that count, one that packs, and one that weighs what
// was packed. Those are ordinary commands, each a process of its own. The last
// task waits for all of them and puts their output into a table.
//
//	list ─┬─ pack PACKAGE ── weigh PACKAGE ─┬─ report
//	      ├─ lines PACKAGE ─────────────────┤
//	      └─ funcs PACKAGE ─────────────────┘
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/inproc"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/runner/progress"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	if err := measureGo(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func measureGo(ctx context.Context) error {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env GOROOT: %w", err)
	}
	src := filepath.Join(strings.TrimSpace(string(root)), "src")
	return run(ctx, src, os.Stdout, os.Stderr)
}

// run measures the packages below src and writes what it found to out.
func run(ctx context.Context, src string, out, errOut io.Writer) error {
	dir, err := os.MkdirTemp("", "quickstart-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // the system cleans up otherwise

	// Two of the tasks are Go functions of this program. They have a pool of
	// their own. Commands run in the default pool, as many at once as there are
	// processors.
	s := survey{started: make(chan *runner.Handle, 1)}
	functions := inproc.New(inproc.Config{Funcs: inproc.Funcs{
		"list":   inproc.Generator(s.list),
		"report": s.report,
	}})
	display := progress.New(errOut, progress.Config{})
	r := runner.Runner{
		Pools:     map[string]executor.Executor{"functions": functions},
		Observers: []runner.Observer{display.Observer()},
	}

	h, err := r.Start(ctx, &dag.DAG{Tasks: []dag.Task{
		{
			Name:      "list",
			Pool:      "functions",
			Job:       dag.Command("list", src, dir),
			Generator: true,
			Children:  []string{"report"},
		},
		{Name: "report", Pool: "functions", Job: dag.Command("report")},
	}})
	if err != nil {
		return err
	}
	s.started <- h
	report, err := h.Wait(context.WithoutCancel(ctx)) // ctx ends the run itself
	if closeErr := display.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}

	table, _ := report.Task("report")
	text, _ := table.Stdout()
	_, err = fmt.Fprintf(out, "\nThe Go packages in %s, those with most code first:\n\n%s\n%s\n%s",
		src, text, slowest(report), picture(report))
	return err
}
