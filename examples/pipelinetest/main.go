// Pipelinetest shows how to test a pipeline. The pipeline is in pipeline.go: it
// fetches temperatures from weather stations that are not always there, and
// tries again every hour. Its test, pipeline_test.go, takes no time for that.
//
//	go run ./examples/pipelinetest
//	go test -v ./examples/pipelinetest
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/daggy-go/daggy/executor/inproc"
	"github.com/daggy-go/daggy/runner"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run runs the pipeline on made-up stations, all of which answer.
func run(ctx context.Context) error {
	w := &weather{source: almanac{"bergen": 7.5, "oslo": 4.5, "tromso": -2}}
	r := runner.Runner{Executor: inproc.New(inproc.Config{Funcs: w.funcs()})}
	report, err := r.Run(ctx, pipeline("2026-03-01"))
	if err != nil {
		return err
	}
	for t := range report.Tasks() {
		took := t.End.Sub(t.Start).Round(time.Microsecond)
		fmt.Printf("%-14s %s, attempt %d, %v\n", t.Name, t.State, t.Attempts, took)
	}
	table, _ := report.Task("report")
	out, _ := table.Stdout()
	fmt.Printf("\n%s", out)
	return nil
}

// An almanac knows the temperature of every day, the same.
type almanac map[string]float64

func (a almanac) stations(string) ([]string, error) {
	var names []string
	for name := range a {
		names = append(names, name)
	}
	return names, nil
}

func (a almanac) temperature(station, _ string) (float64, error) {
	t, ok := a[station]
	if !ok {
		return 0, errors.New("no such station")
	}
	return t, nil
}
