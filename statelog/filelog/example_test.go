package filelog_test

import (
	"context"
	"fmt"
	"os"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/filelog"
)

// What a run did is still known when its log is opened again.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "filelog")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is an example's
	if err := runOnce(ctx, dir); err != nil {
		fmt.Println(err)
		return
	}

	log, err := filelog.Open(ctx, dir, filelog.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer log.Close() //nolint:errcheck // it was only read
	for info, err := range log.Runs(ctx, statelog.Query{}) {
		fmt.Println(info.Run, info.State, err)
	}
	// Output: nightly completed <nil>
}

func runOnce(ctx context.Context, dir string) error {
	log, err := filelog.Open(ctx, dir, filelog.Config{})
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // what was appended is durable
	r := runner.Runner{
		Log: log,
		Executor: executor.RunFunc(
			func(context.Context, *executor.Attempt) (executor.Result, error) {
				return executor.Result{}, nil
			}),
	}
	d := &dag.DAG{Tasks: []dag.Task{{Name: "report", Job: dag.Command("report")}}}
	h, err := r.Ensure(ctx, "nightly", d)
	if err != nil {
		return err
	}
	_, err = h.Wait(ctx)
	return err
}
