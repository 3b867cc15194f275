// Command run runs a DAG that is written in JSON, on this machine.
//
//	run [flags] FILE
//
// FILE "-" is the standard input. What became of every task goes to the
// standard output, as a table or with -report json as one JSON object:
//
//	{"run": …, "state": …, "tasks": {NAME: {"state": …, "attempts": N,
//	 "exitCode": N, "start": …, "end": …, "stdout": …, "stderr": …, "reason": …}}}
//
// Instances have their own names, such as calc_1. What never was, such as the
// exit code of a command that could not be executed, is null. Bytes of the
// output that are not UTF-8 are shown as U+FFFD; where output was too long to
// be kept, "stdoutDropped" and "stderrDropped" count the bytes that are missing.
//
// The exit code is 0 if the run completed, 1 if it did not, and 2 for a bad
// definition or bad usage, with every problem on a line of the standard error
// and nothing started. (The go command itself turns any other code than 0 into
// 1: build the program to see them.)
//
// The first interrupt stops what runs and reports; the second ends the program
// at once.
//
// # Runs that outlive the program
//
//	run -log DIR -run ID FILE
//
// keeps the run in files: its records in DIR, the output of its tasks in
// DIR-output and, on Linux, its processes in DIR-processes. The same command again
// goes on with the run, whatever ended the program, kill -9 and the power switch
// included. What completed does not run again, and what still runs is waited for.
// If the run is over, the command prints its report; with -retry, what did not
// complete runs again. A FILE that has changed is bad usage, and so is a DIR that
// another program has open. Without -run, the ID of the new run is printed on the
// standard error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/runner/progress"
)

// Exit codes.
const (
	exitCompleted    = 0
	exitNotCompleted = 1
	exitBad          = 2 // nothing was started
)

func main() {
	os.Exit(run(untilSignal(), os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// untilSignal returns a context that ends with the first signal. Before anything
// hears of that, the next signal already does what it does to any program.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		signal.Stop(signals)
		cancel()
	}()
	return ctx
}

type streams struct {
	in       io.Reader
	out, err io.Writer
}

// complain says what went wrong, on one line.
func (s streams) complain(about string, err error) {
	// If that fails, only the exit code can tell.
	_, _ = fmt.Fprintf(s.err, "%s: %s\n", about, line(err.Error()))
}

// run is the program. It returns its exit code.
func run(ctx context.Context, args []string, std streams) int {
	o, err := parseFlags(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, err = io.WriteString(std.err, usage)
		return std.done(err)
	case err != nil:
		std.complain("run", fmt.Errorf("%w; -h shows the usage", err))
		return exitBad
	}
	data, err := o.read(std.in)
	if err != nil {
		std.complain("run", err)
		return exitBad
	}
	d, err := dag.Parse(data)
	if err == nil {
		return o.execute(ctx, definition{d, data}, std)
	}
	return o.refuse(std, err)
}

// A definition is a DAG and the text that it was read from.
type definition struct {
	*dag.DAG
	text []byte
}

// execute draws d or runs it.
func (o *options) execute(ctx context.Context, d definition, std streams) int {
	r := o.runner(d.DAG)
	if o.graph != "" {
		if err := r.Validate(d.DAG); err != nil {
			return o.refuse(std, dag.Locate(d.text, err))
		}
		return std.done(draw(std.out, d.DAG, o.graph))
	}
	done, err := o.keep(ctx, r, std)
	if err != nil {
		std.complain("run", err)
		return exitBad
	}
	defer done()
	display := progress.New(std.err, progress.Config{Mode: o.progress})
	r.Observers = append(r.Observers, display.Observer())
	h, err := o.start(ctx, r, d.DAG)
	if err != nil {
		return o.refuse(std, dag.Locate(d.text, err))
	}
	// The end of ctx interrupts the run, which then is over soon.
	report, err := h.Wait(context.WithoutCancel(ctx))
	// Nothing else may be written before the display is off. That it could not
	// be shown, because nobody reads the standard error, is no failure.
	_ = display.Close()
	code := exitCompleted
	for _, e := range leaves(err) {
		std.complain("run", e)
		code = exitNotCompleted
	}
	o.advise(std, report)
	write := writeText
	if o.report == "json" {
		write = writeJSON
	}
	return max(code, std.done(write(std.out, report)))
}

// done returns the exit code of what failed only for want of a place to write.
func (s streams) done(err error) int {
	if err == nil {
		return exitCompleted
	}
	s.complain("run", err)
	return exitNotCompleted
}

// refuse prints what is wrong with the definition, a line for each problem.
func (o *options) refuse(std streams, err error) int {
	for _, problem := range leaves(err) {
		std.complain(o.file, problem)
	}
	return exitBad
}

// leaves returns the errors that err is made of, or err itself.
func leaves(err error) []error {
	if e, ok := errors.AsType[*runner.RunError](err); ok {
		err = e.Err
	}
	var all []error
	switch e := err.(type) { //nolint:errorlint // What wraps a list is a leaf with a context.
	case nil:
	case interface{ WrappedErrors() []error }:
		for _, part := range e.WrappedErrors() {
			all = append(all, leaves(part)...)
		}
	default:
		all = append(all, err)
	}
	return all
}
