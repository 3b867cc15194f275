package redislog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/inproc"
	"github.com/daggy-go/daggy/internal/integration/servertest"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog/redislog"
)

// workflow has generated tasks, multiplied tasks, tasks that fail and tasks that
// are never reached.
func workflow() (*dag.DAG, *inproc.Executor) {
	d := &dag.DAG{
		Parameters: dag.Parameters{"N": dag.List("1", "2", "3", "4", "5")},
		Tasks: []dag.Task{
			{Name: "plan", Job: dag.Command("plan"), Generator: true},
			{Name: "part", Job: dag.Command("part", "{{N}}"), MaxRetries: 1},
			{Name: "sum", Job: dag.Command("ok"), Parents: []string{"part"}},
			{Name: "free", Job: dag.Command("ok")},
			{Name: "both", Parents: []string{"free", "plan"}},
		},
	}
	ok := func(context.Context, *inproc.Call) error { return nil }
	return d, inproc.New(inproc.Config{Funcs: inproc.Funcs{
		"ok": ok,
		"plan": inproc.Generator(func(context.Context, *inproc.Call) ([]dag.Task, error) {
			return []dag.Task{
				{Name: "first", Job: dag.Command("ok")},
				{Name: "more", Job: dag.Command("part", "{{N}}"), Parents: []string{"first"}},
			}, nil
		}),
		"part": func(_ context.Context, c *inproc.Call) error {
			if c.Args[0] == "3" {
				return inproc.ExitError(3)
			}
			return nil
		},
	}})
}

// The documents of a run say what its report says.
func TestDocumentsAgreeWithTheReport(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t, servertest.AppendEverySecond...)
	c := client(t, server.Options())
	log := open(t, c, redislog.Config{})
	d, executor := workflow()
	r := runner.Runner{Executor: executor, Log: log}
	h, err := r.Ensure(t.Context(), "r1", d)
	require.NoError(t, err)
	report, err := h.Wait(t.Context())
	require.Error(t, err, "instances fail")
	require.NoError(t, log.Close())

	states := map[string]int{}
	for task := range report.Tasks() {
		var document struct {
			Instance, Task, State string
			Attempts              int
			Result                struct{ ExitCode int }
		}
		data, err := c.Get(t.Context(), "{daggy}:document:r1/"+task.Name).Bytes()
		if task.Attempts == 0 {
			require.Error(t, err, "%s was never tried", task.Name)
			continue
		}
		require.NoError(t, err, task.Name)
		require.NoError(t, json.Unmarshal(data, &document))
		require.Equal(t, task.Name, document.Instance)
		require.Equal(t, task.Task, document.Task)
		require.Equal(t, fmt.Sprint(task.State), document.State, task.Name)
		require.Equal(t, task.Attempts, document.Attempts, task.Name)
		require.Equal(t, task.Result.ExitCode, document.Result.ExitCode, task.Name)
		states[document.State]++
	}
	var run struct {
		State            string
		Tasks, Instances int
		Counts           map[string]int
	}
	data, err := c.Get(t.Context(), "{daggy}:document:r1").Bytes()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &run))
	require.Equal(t, fmt.Sprint(report.State), run.State)
	require.Equal(t, 7, run.Tasks)
	require.Equal(t, 1+5+1+1+1+5, run.Instances, "both only groups")
	require.Equal(t, map[string]int{"completed": 11, "failed": 2}, states)
	require.Equal(t, 11, run.Counts["completed"])
	require.Equal(t, 2, run.Counts["failed"])
	require.Equal(t, 1, run.Counts["skipped"], "sum")
}
