package runnertest

import (
	"context"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/inproc"
)

// commands answers commands with functions. What a function's error, panic or
// exit code means is inproc's business.
type commands struct {
	funcs  inproc.Funcs
	known  *inproc.Executor
	others inproc.Func // nil: there are none
}

func newCommands(funcs inproc.Funcs, others inproc.Func) *commands {
	return &commands{funcs, inproc.New(inproc.Config{Funcs: funcs}), others}
}

// Validate knows names of commands only. Options belong to the executor that is
// not there.
func (c *commands) Validate(job dag.Job) error {
	if c.others != nil {
		return nil
	}
	job.Options = nil
	return c.known.Validate(job)
}

func (c *commands) Run(ctx context.Context, a *executor.Attempt) (executor.Result, error) {
	if c.others == nil || len(a.Job.Command) == 0 {
		return c.known.Run(ctx, a)
	}
	name := a.Job.Command[0]
	if c.funcs[name] != nil {
		return c.known.Run(ctx, a)
	}
	return inproc.New(inproc.Config{Funcs: inproc.Funcs{name: c.others}}).Run(ctx, a)
}
