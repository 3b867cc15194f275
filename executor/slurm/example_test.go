package slurm_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/slurm"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
)

func Example() {
	run := func(ctx context.Context, d *dag.DAG, log statelog.StateLogger) error {
		ex := slurm.New(slurm.Config{Dir: "/shared/me/daggy"})
		report, err := (&runner.Runner{Executor: ex, Log: log}).Run(ctx, d)
		fmt.Println(report.State)
		if refused, ok := errors.AsType[*slurm.RefusedError](err); ok {
			fmt.Println("Slurm says:", refused.Words)
		}
		return err
	}
	_ = run // on a machine that can submit jobs
}
