package runner_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
)

func TestGeneratorSplicesBeforeItsChildren(t *testing.T) { // D7, D8
	t.Parallel()
	ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
		if a.Task == "pull_files" {
			_, err := fmt.Fprint(a.Stdout, `{
				"calc_date_a": {"command": ["calc", "{{DATE}}"], "children": ["generate_report"]},
				"calc_date_b": {"command": ["calc"], "children": ["generate_report"]}}`)
			return result{}, err
		}
		return result{}, nil
	}}
	d := tasks(task("pull_files"), task("generate_report", "pull_files"))
	d.Tasks[0].Generator = true
	d.Parameters = dag.Parameters{"DATE": dag.List("2021-01-01", "2021-02-01")}
	report, err := (&runner.Runner{Executor: ex, MaxRunning: 1}).Run(t.Context(), d)
	require.NoError(t, err)
	require.Equal(t, []string{
		"pull_files", "calc_date_a_1", "calc_date_a_2", "calc_date_b", "generate_report",
	}, ex.order())
	require.Equal(t, 5, report.Counts[runner.Completed])
}

// What the executor says of an output that cannot be used is part of the reason.
func TestBadGeneratorOutputKeepsTheMessage(t *testing.T) { // D7
	t.Parallel()
	ex := &recorder{do: func(context.Context, *attempt) (result, error) {
		return result{Message: "output that cannot be read here"}, nil
	}}
	d := tasks(task("gen"))
	d.Tasks[0].Generator = true
	_, err := (&runner.Runner{Executor: ex}).Run(t.Context(), d)
	require.ErrorContains(t, err, "it printed nothing")
	require.ErrorContains(t, err, "output that cannot be read here")
}

func TestBadGeneratorOutputChangesNothing(t *testing.T) { // D7
	t.Parallel()
	for name, output := range map[string]string{
		"nothing":        "",
		"garbage":        "hello",
		"cycle":          `{"x": {"command": ["x"], "children": ["gen"]}}`,
		"duplicate":      `{"after": {"command": ["x"]}}`,
		"unknown":        `{"x": {"command": ["{{NOPE}}"]}}`,
		"unknown parent": `{"x": {"command": ["x"], "parents": ["nobody"]}}`,
		"unknown pool":   `{"x": {"command": ["x"], "pool": "nowhere"}}`,
		"too many": `{
			"x1": {"command": ["x"]}, "x2": {"command": ["x"]}, "x3": {"command": ["x"]}}`,
		"name clash": `{"m_2": {"command": ["x"]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
				if a.Task == "gen" {
					_, _ = a.Stdout.Write([]byte(output))
				}
				return result{}, nil
			}}
			d := tasks(task("gen"), task("after", "gen"), task("m"))
			d.Tasks[2].Job.Command = []string{"m", "{{X}}"}
			d.Parameters = dag.Parameters{"X": dag.List("1", "2", "3")}
			d.Tasks[0].Generator, d.Tasks[0].MaxRetries = true, 1
			r := &runner.Runner{Executor: ex, Limits: dag.Limits{Tasks: 5}}
			report, err := r.Run(t.Context(), d)
			failed, ok := errors.AsType[*runner.TaskError](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, statelog.BadOutput, failed.Class)
			require.Equal(t, 2, failed.Attempt)
			require.Equal(t, map[string]runner.State{
				"gen": runner.Failed, "after": runner.Skipped, "m_1": runner.Completed,
				"m_2": runner.Completed, "m_3": runner.Completed,
			}, states(report))
		})
	}
}
