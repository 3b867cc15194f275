// Command logs keeps a run in the log of one's choice, and goes on with it.
//
//	go run . -log postgres://user@host/database -run ID FILE
//	go run . -log redis://host:6379 -run ID FILE
//	go run . -log sqlite:runs.db -run ID FILE
//	go run . -log DIRECTORY -run ID FILE
//
// FILE has a DAG in JSON, as for examples/run. The same command again goes on with
// the run: what has completed does not run again. With -processes DIR, on Linux,
// commands outlive the program, and are found again.
//
// It is a module of its own because it needs database drivers, which the library
// leaves to programs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/runner"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "logs:", err)
		os.Exit(1)
	}
}

type options struct{ log, run, processes, file string }

func parseFlags(args []string) (o options, err error) {
	flags := flag.NewFlagSet("logs", flag.ContinueOnError)
	flags.StringVar(&o.log, "log", "", "`URL` of a database, sqlite:FILE, or a directory")
	flags.StringVar(&o.run, "run", "", "the `ID` of the run")
	flags.StringVar(&o.processes, "processes", "",
		"have commands outlive the program, with what belongs to them in this `directory`")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.log == "" || o.run == "" || flags.NArg() != 1 {
		return o, errors.New("usage: logs -log LOG -run ID [-processes DIR] FILE")
	}
	o.file = flags.Arg(0)
	return o, nil
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	o, err := parseFlags(args)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(o.file)
	if err != nil {
		return err
	}
	d, err := dag.Parse(text)
	if err != nil {
		return err
	}
	log, done, err := openLog(ctx, o.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	r := runner.Runner{Log: log, Executor: fork.New(fork.Config{Dir: o.processes})}
	h, err := r.Ensure(ctx, o.run, d)
	if err != nil {
		return err
	}
	report, err := h.Wait(context.WithoutCancel(ctx)) // ctx ends the run itself
	for t := range report.Tasks() {
		if _, err := fmt.Fprintf(out, "%-9s  %d  %s\n", t.State, t.Attempts, t.Name); err != nil {
			return err
		}
	}
	return errors.Join(err, report.Err())
}
