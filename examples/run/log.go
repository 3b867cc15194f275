package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/filelog"
)

// keep has runs outlive the program, if a log was asked for: their records are
// in the log, the output of their tasks is beside it. done lets go of the log.
func (o *options) keep(
	ctx context.Context, r *runner.Runner, std streams,
) (done func(), err error) {
	if o.log == "" {
		return func() {}, nil
	}
	log, err := filelog.Open(ctx, o.log, filelog.Config{})
	if err != nil {
		return nil, err
	}
	if torn := log.Found().Torn; torn != nil {
		std.say("the last records in the log were not written whole, and are now in %s", torn.Kept)
	}
	r.Log, r.Output.Dir = log, log.Dir()+"-output"
	if o.run == "" {
		name := func(h *runner.Handle, _ runner.Event) { std.say("this is run %s", h.ID()) }
		r.Observers = append(r.Observers, runner.Observer{RunStarted: name})
	}
	return func() { _ = log.Close() }, nil // what it has is durable already
}

// processes says how commands are run: they outlive the program if the run does.
func (o *options) processes() fork.Config {
	c := fork.Config{Capacity: o.capacity()}
	if o.log != "" && runtime.GOOS == "linux" { // elsewhere they cannot
		c.Dir = filepath.Clean(o.log) + "-processes"
	}
	return c
}

// start starts a run under the ID that was asked for, or goes on with it.
func (o *options) start(ctx context.Context, r *runner.Runner, d *dag.DAG) (*runner.Handle, error) {
	switch {
	case o.run == "":
		return r.Start(ctx, d)
	case !o.retry:
		return r.Ensure(ctx, o.run, d)
	case !known(ctx, r.Log, o.run):
		return r.Retry(ctx, o.run) // the error names the run that may be meant
	}
	h, err := r.Ensure(ctx, o.run, d) // no other definition
	if err != nil {
		return nil, err
	}
	again, err := r.Retry(ctx, o.run)
	if errors.Is(err, runner.ErrNothing) {
		return h, nil
	}
	return again, err
}

// known reports whether the log has the run.
func known(ctx context.Context, log statelog.StateLogger, run string) bool {
	for _, err := range log.Read(ctx, run, 0) {
		return err == nil
	}
	return false
}

// advise says how to go on with a run that did not complete.
func (o *options) advise(std streams, r *runner.Report) {
	how := ""
	if o.run == "" {
		how = fmt.Sprintf(" with -run %s", r.Run)
	}
	switch {
	case o.log == "":
	case r.State == runner.RunInterrupted:
		std.say("the same command%s goes on with it", how)
	case r.State != runner.RunCompleted:
		std.say("the same command%s and -retry runs again what did not complete", how)
	}
}

// say tells the user something, on one line.
func (s streams) say(format string, values ...any) {
	s.complain("run", fmt.Errorf(format, values...))
}
