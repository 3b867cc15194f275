// Command slurm runs a parameter study on a Slurm cluster.
//
//	go run ./examples/slurm -dir /shared/me/study
//
// It has to be started on a machine that can submit jobs, with a directory that the
// nodes have at the same path. It estimates pi with eight seeds, which are an array of
// jobs, and then takes the mean. Interrupt it, or kill it, and start it again: the
// jobs go on in the meantime, and it finds them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/slurm"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog/filelog"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "slurm:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	fs := flag.NewFlagSet("slurm", flag.ContinueOnError)
	dir := fs.String("dir", "", "a `directory` that this machine and all nodes share")
	partition := fs.String("partition", "", "the `partition` of the jobs (default: Slurm's)")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *dir == "" {
		return errors.New("want -dir DIRECTORY, one that the nodes have too")
	}
	shared, err := filepath.Abs(*dir)
	if err != nil {
		return err
	}
	log, err := filelog.Open(ctx, filepath.Join(shared, "log"), filelog.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	options := map[string]any{}
	if *partition != "" {
		options["partition"] = *partition
	}
	r := &runner.Runner{
		Executor: slurm.New(slurm.Config{Dir: filepath.Join(shared, "jobs"), Options: options}),
		Log:      log,
		Output:   runner.Output{Dir: filepath.Join(shared, "output")},
	}
	return study(ctx, r, shared, out)
}

// study starts the run, or goes on with it. An interrupt leaves its jobs alone.
func study(ctx context.Context, r *runner.Runner, shared string, out io.Writer) error {
	h, err := r.Ensure(context.WithoutCancel(ctx), "study", definition(shared))
	if err != nil {
		return err
	}
	for {
		waiting, stop := context.WithTimeout(ctx, 2*time.Second)
		_, err = h.Wait(waiting)
		stop()
		switch {
		case ctx.Err() != nil:
			_, _ = fmt.Fprintln(out, "the jobs go on; the same command finds them")
			return h.Detach(context.WithoutCancel(ctx))
		case errors.Is(err, context.DeadlineExceeded):
			progress(h, out)
			continue
		case err != nil:
			return err
		}
		break
	}
	mean, err := h.Output(ctx, "mean", runner.OutputQuery{})
	if err != nil {
		return err
	}
	_, err = io.Copy(out, mean)
	return errors.Join(err, mean.Close())
}

// progress says how far it is, and why the mean has to wait.
func progress(h *runner.Handle, out io.Writer) {
	counts := h.Snapshot().Counts
	_, _ = fmt.Fprintf(out, "%d completed, %d with Slurm\n",
		counts[runner.Completed], counts[runner.Running])
	reasons, err := h.Why("estimate_8")
	if err == nil && len(reasons) > 0 && reasons[0].Text != "" {
		_, _ = fmt.Fprintf(out, "estimate_8: %s\n", reasons[0].Text)
	}
}

// estimator counts random points in a quarter of a circle.
const estimator = `BEGIN {
	srand(seed); n = 200000
	for (i = 0; i < n; i++) { x = rand(); y = rand(); if (x * x + y * y < 1) in_it++ }
	print 4 * in_it / n
}`

// averager takes the mean of what the estimates have written.
const averager = `{ sum += $1 } END { printf "pi is about %.3f, by %d jobs\n", sum / NR, NR }`

func definition(shared string) *dag.DAG {
	estimate := dag.Command("sh", "-c",
		`awk -v seed="$2" "$1" >"estimate.$2"`, "sh", estimator, "{{SEED}}")
	estimate.Resources = dag.Resources{dag.Cores: 1, dag.MemoryMB: 100}
	estimate.TimeLimit = 10 * time.Minute
	mean := dag.Command("sh", "-c", `cat estimate.* | awk "$1"`, "sh", averager)
	return &dag.DAG{
		Parameters:  dag.Parameters{"SEED": dag.List("1", "2", "3", "4", "5", "6", "7", "8")},
		JobDefaults: dag.Job{WorkDir: shared},
		Tasks: []dag.Task{
			{Name: "estimate", Job: estimate, MaxRetries: 1},
			{Name: "mean", Job: mean, Parents: []string{"estimate"}},
		},
	}
}
