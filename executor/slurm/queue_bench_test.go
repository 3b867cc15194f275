package slurm_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"runtime/metrics"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/slurm"
	"github.com/daggy-go/daggy/runner"
)

// A line is a queue in which nothing ever starts.
type line struct {
	mu     sync.Mutex
	last   int
	queue  []byte
	jobs   int
	listed int // listings that had all jobs there are now
}

func (l *line) run(_ context.Context, argv []string, _ string) (slurm.Answer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch argv[0] {
	case "sbatch":
		return l.sbatch(argv)
	case "squeue":
		l.listed++
		return slurm.Answer{Stdout: bytes.Clone(l.queue)}, nil
	case "scancel":
		l.queue, l.jobs = nil, 0
	}
	return slurm.Answer{}, nil
}

func (l *line) sbatch(argv []string) (slurm.Answer, error) {
	name, elements, err := submitted(argv)
	if err != nil {
		return slurm.Answer{}, err
	}
	l.last++
	l.listed = 0
	l.jobs += elements
	for i := range elements {
		l.queue = fmt.Appendf(l.queue, "daggy|%d_%d|PENDING||%s|BeginTime\n", l.last, i, name)
	}
	return slurm.Answer{Stdout: fmt.Appendln(nil, l.last)}, nil
}

// quiet reports whether n jobs have been listed so often that there is no news.
func (l *line) quiet(n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.jobs == n && l.listed >= 3
}

// BenchmarkQueue measures the memory that a whole engine takes for 5,000 jobs in the
// queue: by kind for each of them, and in all.
func BenchmarkQueue(b *testing.B) {
	const n = 5000
	values := make([]string, n)
	for i := range values {
		values[i] = strconv.Itoa(i)
	}
	d := &dag.DAG{Parameters: dag.Parameters{"N": dag.List(values...)}, Tasks: []dag.Task{{
		Name: "many", Job: dag.Command("echo", "{{N}}"),
	}}}
	kinds := []string{"heap/objects", "heap/stacks", "heap/unused", "os-stacks"}
	for b.Loop() {
		l := &line{}
		r := runner.Runner{MaxRunning: n, Executor: slurm.New(slurm.Config{
			Dir: b.TempDir(), Commands: l.run, Interval: time.Second,
		})}
		before := memory(kinds)
		h, err := r.Start(b.Context(), d)
		require.NoError(b, err)
		for !l.quiet(n) {
			time.Sleep(100 * time.Millisecond) //nolint:forbidigo // it measures
		}
		after := memory(kinds)
		for i, kind := range kinds {
			b.ReportMetric(float64(after[i]-before[i])/n, kind+"-B/job")
		}
		b.ReportMetric(float64(after[0]+after[1]-before[0]-before[1])/1e6, "MB-added")
		b.ReportMetric(float64(after[0]+after[1])/1e6, "MB-all")
		require.NoError(b, h.Stop(b.Context()))
		_, err = h.Wait(b.Context())
		require.Error(b, err)
	}
}

// memory is what the runtime holds, by kind, in bytes.
func memory(kinds []string) []int64 {
	runtime.GC()
	runtime.GC() // what is pooled goes only now
	samples := make([]metrics.Sample, len(kinds))
	for i, kind := range kinds {
		samples[i].Name = "/memory/classes/" + kind + ":bytes"
	}
	metrics.Read(samples)
	sizes := make([]int64, len(kinds))
	for i, s := range samples {
		sizes[i] = int64(s.Value.Uint64())
	}
	return sizes
}
