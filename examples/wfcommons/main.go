// Command wfcommons runs the graphs of recorded scientific workflows.
//
//	wfcommons [-scale X] [-parallel N] FILE|DIRECTORY...
//
// It reads files in WfFormat 1.5, in which the WfCommons project publishes
// workflows and how long their tasks took (https://wfcommons.org). Nothing is
// computed: each task waits for as long as it took, times the scale. So one sees
// how close a run comes to its critical path, the chain of tasks that takes
// longest and that no number of machines makes faster.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/daggy-go/daggy/executor/sim"
	"github.com/daggy-go/daggy/runner"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(os.Stderr, usage)
	case errors.Is(err, errBad):
		fmt.Fprintf(os.Stderr, "wfcommons: %v\n", err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintf(os.Stderr, "wfcommons: %v\n", err)
		os.Exit(1)
	}
}

const usage = `usage: wfcommons [flags] FILE|DIRECTORY...
Runs the graphs of workflows in WfFormat 1.5, with waiting in place of work.

  -scale X      how long to wait for each second of work, in seconds
                (default 0.01; at most 1)
  -parallel N   how many tasks run at once (default: any number)
`

// errBad is what errors of usage and of files wrap: nothing was run.
var errBad = errors.New("bad input")

type options struct {
	scale    float64
	parallel int
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o := options{scale: 0.01, parallel: -1}
	fs := flag.NewFlagSet("wfcommons", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Float64Var(&o.scale, "scale", o.scale, "")
	fs.IntVar(&o.parallel, "parallel", o.parallel, "")
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", errBad, err)
	case fs.NArg() == 0:
		return fmt.Errorf("%w: want a file or a directory; -h shows the usage", errBad)
	case math.IsNaN(o.scale) || o.scale <= 0 || o.scale > 1:
		return fmt.Errorf("%w: -scale %g: want more than 0, at most 1", errBad, o.scale)
	case o.parallel == 0 || o.parallel < -1:
		return fmt.Errorf("%w: -parallel %d: want a positive number", errBad, o.parallel)
	}
	workflows, err := readAll(fs.Args())
	if err != nil {
		return err
	}
	for _, w := range workflows {
		if err := o.study(ctx, w, out); err != nil {
			return fmt.Errorf("%s: %w", w.file, err)
		}
	}
	return nil
}

// readAll reads all files before any of them is run.
func readAll(paths []string) ([]*workflow, error) {
	var all []*workflow
	for _, path := range paths {
		files := []string{path}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			files, err = filepath.Glob(filepath.Join(path, "*.json")) // sorted
			if err != nil || len(files) == 0 {
				return nil, fmt.Errorf("%w: %s: no files named *.json", errBad, path)
			}
		}
		for _, file := range files {
			w, err := read(file)
			if err != nil {
				return nil, fmt.Errorf("%w: %s: %w", errBad, file, err)
			}
			all = append(all, w)
		}
	}
	return all, nil
}

// study runs a workflow and prints how it went.
func (o *options) study(ctx context.Context, w *workflow, out io.Writer) error {
	script := map[string]sim.Behaviour{}
	for name, seconds := range w.seconds {
		script[name] = sim.Behaviour{Duration: o.wait(seconds)}
	}
	r := runner.Runner{
		Executor:   sim.New(sim.Config{Script: script}),
		MaxRunning: o.parallel,
	}
	report, err := r.Run(ctx, w.dag)
	if err != nil {
		return err
	}
	took := report.End.Sub(report.Start)
	makespan := took.Seconds() / o.scale
	path, length := w.criticalPath()

	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d tasks, %d edges, %.1f s of work\n",
		w.name, w.graph.Len(), w.graph.Edges(), w.work())
	fmt.Fprintf(&b, "  critical path  %.1f s in %d tasks: %s\n",
		length, len(path), strings.Join(path, " → "))
	fmt.Fprintf(&b, "  makespan       %.1f s (run in %s)\n", makespan, took.Round(time.Millisecond))
	if length > 0 {
		fmt.Fprintf(&b, "  ratio          %.3f\n", makespan/length)
	} else {
		fmt.Fprintf(&b, "  ratio          none: the critical path takes no time\n")
	}
	_, err = io.WriteString(out, b.String())
	return err
}

func (o *options) wait(seconds float64) time.Duration {
	return time.Duration(seconds * o.scale * float64(time.Second))
}
