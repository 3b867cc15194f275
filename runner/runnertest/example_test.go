package runnertest_test

import (
	"testing"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/inproc"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/runner/runnertest"
)

// A test of a pipeline that is written for local processes. Retries after an
// hour take no time.
func ExampleRun() {
	d := &dag.DAG{Tasks: []dag.Task{
		{
			Name: "fetch", Job: dag.Command("curl", "-o", "day.csv", "https://data.test"),
			MaxRetries: 5, RetryInterval: time.Hour,
		},
		{Name: "load", Job: dag.Command("psql", "-f", "load.sql"), Parents: []string{"fetch"}},
	}}
	var t *testing.T // that of the test function
	res := runnertest.Run(t, d, runnertest.Config{Funcs: inproc.Funcs{
		"curl": runnertest.FailFirst(2, nil),
		"psql": runnertest.Print("COPY 24"),
	}})
	res.RequireCompleted(t)
	res.RequireOrder(t, "fetch", "load")
	res.RequireAttempts(t, "fetch", 3)
	if out := res.Stdout(t, "load"); out != "COPY 24" {
		t.Errorf("load printed %q", out)
	}
	if res.Elapsed != 2*time.Hour {
		t.Errorf("it took %v", res.Elapsed)
	}
}

// What becomes of the rest when something fails.
func ExampleResult_RequireState() {
	d := &dag.DAG{Tasks: []dag.Task{
		{Name: "fetch", Job: dag.Command("curl", "https://data.test")},
		{Name: "load", Job: dag.Command("psql", "-f", "load.sql"), Parents: []string{"fetch"}},
	}}
	var t *testing.T // that of the test function
	res := runnertest.Run(t, d, runnertest.Config{
		Funcs:   inproc.Funcs{"curl": runnertest.Exit(22)},
		Default: runnertest.Exit(0),
	})
	res.RequireState(t, "fetch", runner.Failed)
	res.RequireState(t, "load", runner.Skipped)
}
