package filelog_test

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/inproc"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/memlog"
)

// BenchmarkRun compares a run of functions that do nothing with the same run kept
// in memory.
func BenchmarkRun(b *testing.B) {
	const tasks = 1_000_000
	values := make([]string, tasks)
	for i := range values {
		values[i] = strconv.Itoa(i)
	}
	d := &dag.DAG{Tasks: []dag.Task{{
		Name: "t", Job: dag.Command("noop", "{{I}}"),
		Parameters: dag.Parameters{"I": dag.List(values...)},
	}}}
	for b.Loop() {
		var files, memory []time.Duration
		var size int64
		for range 3 {
			memory = append(memory, timedRun(b, d, memlog.New()))
			dir := b.TempDir()
			files = append(files, timedRun(b, d, openLog(b, dir)))
			size = sumFiles(b, dir)
			require.NoError(b, os.RemoveAll(dir))
		}
		b.ReportMetric(float64(median(files))/float64(median(memory)), "filelog/memlog")
		b.ReportMetric(median(files).Seconds(), "filelog-s")
		b.ReportMetric(median(memory).Seconds(), "memlog-s")
		b.ReportMetric(float64(size)/tasks, "B/task")
	}
}

func timedRun(tb testing.TB, d *dag.DAG, log statelog.StateLogger) time.Duration {
	tb.Helper()
	noop := func(context.Context, *inproc.Call) error { return nil }
	ex := inproc.New(inproc.Config{Funcs: inproc.Funcs{"noop": noop}})
	r := runner.Runner{Executor: ex, Log: log}
	began := time.Now()
	_, err := r.Run(tb.Context(), d)
	require.NoError(tb, err)
	return time.Since(began)
}
