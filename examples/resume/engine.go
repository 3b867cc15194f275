package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog/filelog"
)

// engine runs the pipeline, or goes on with it. This is all that a program needs:
// with a log in a directory, commands outlive the program, and Ensure finds the
// run that is there.
func engine(ctx context.Context, dir string, out io.Writer) error {
	log, err := filelog.Open(ctx, filepath.Join(dir, "log"), filelog.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // what it has is durable already
	self, err := os.Executable()
	if err != nil {
		return err
	}
	r := runner.Runner{Log: log, Observers: []runner.Observer{{
		// Whoever listens may be gone, which is no reason to stop.
		AttemptEnded: func(_ *runner.Handle, ev runner.Event) {
			_, _ = fmt.Fprintln(out, ev.Instance)
		},
	}}}
	h, err := r.Ensure(ctx, "nightly", pipeline(self, notesFile(dir)))
	if err != nil {
		return err
	}
	_, err = h.Wait(context.WithoutCancel(ctx)) // ctx ends the run itself
	return err
}

// pipeline is a DAG of commands that take some time and make a note of it.
func pipeline(self, notes string) *dag.DAG {
	task := func(name, milliseconds string, parents ...string) dag.Task {
		return dag.Task{
			Name: name, Job: dag.Command(self, "task", notes, milliseconds), Parents: parents,
		}
	}
	// One of them is at work whenever the engine dies.
	train := task("train", "800", "fetch")
	train.Job.Command = append(train.Job.Command, killedFile(notes))
	return &dag.DAG{
		Parameters: dag.Parameters{"MS": dag.List("300", "400", "200")},
		Tasks: []dag.Task{
			task("fetch", "300"),
			task("clean", "{{MS}}", "fetch"), // clean_1 to clean_3
			task(halfWay, "300", "clean"),
			task("rank", "500", halfWay),
			task("plot", "200", halfWay),
			train,
			task("report", "300", "train", "rank", "plot"),
		},
	}
}
