package runner_test

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/executor/inproc"
	"github.com/daggy-go/daggy/runner"
)

// shape is a graph to run, as the parents of each task by index.
type shape struct {
	name    string
	tasks   int
	parents func(i int) []int
}

func shapes() []shape {
	return []shape{
		{"wide", 1_000_000, func(int) []int { return nil }},
		{"chain", 100_000, func(i int) []int { return from(i, i-1) }},
		{"tree", 100_000, func(i int) []int { return from(i, (i-1)/2) }},
		{"layered", 100_000, layered},
	}
}

func from(i int, parents ...int) []int {
	if i == 0 {
		return nil
	}
	return parents
}

// layered has ten tasks a layer, each with all of the layer before as parents.
func layered(i int) []int {
	if i < 10 {
		return nil
	}
	parents := make([]int, 10)
	for k := range parents {
		parents[k] = i/10*10 - 10 + k
	}
	return parents
}

func (s shape) dag(n int) *dag.DAG {
	d := &dag.DAG{Tasks: make([]dag.Task, n)}
	for i := range d.Tasks {
		d.Tasks[i] = dag.Task{Name: fmt.Sprintf("task%07d", i), Job: dag.Command("noop")}
	}
	for i := range d.Tasks {
		for _, p := range s.parents(i) {
			d.Tasks[i].Parents = append(d.Tasks[i].Parents, d.Tasks[p].Name)
		}
	}
	return d
}

func noop(context.Context, *inproc.Call) error { return nil }

func functions() *runner.Runner {
	return &runner.Runner{Executor: inproc.New(inproc.Config{Funcs: inproc.Funcs{"noop": noop}})}
}

// goPerReady is the reference: a goroutine for each task that is ready, atomic
// counters, errgroup. It records, retries and reports nothing, and is given its
// graph ready made.
func goPerReady(children [][]int32, parents []int32) error {
	left := make([]atomic.Int32, len(parents))
	for i, n := range parents {
		left[i].Store(n)
	}
	var g errgroup.Group
	var run func(i int32) error
	run = func(i int32) error {
		for _, c := range children[i] {
			if left[c].Add(-1) == 0 {
				g.Go(func() error { return run(c) })
			}
		}
		return nil
	}
	for i, n := range parents {
		if n == 0 {
			g.Go(func() error { return run(int32(i)) })
		}
	}
	return g.Wait()
}

func (s shape) compressed(n int) ([][]int32, []int32) {
	children, parents := make([][]int32, n), make([]int32, n)
	for i := range n {
		for _, p := range s.parents(i) {
			children[p] = append(children[p], int32(i))
			parents[i]++
		}
	}
	return children, parents
}

// versus times two things in rounds that take turns, so that what else the
// machine does hits both, and reports the median of the ratios.
func versus(b *testing.B, unit string, ours, reference func()) {
	b.Helper()
	var ratios []float64
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		its := timed(reference)
		b.StartTimer()
		ratios = append(ratios, float64(timed(ours))/float64(its))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], unit)
}

// timed runs f on a clean heap.
func timed(f func()) time.Duration {
	runtime.GC()
	start := time.Now()
	f()
	return time.Since(start)
}

func mustRun(b *testing.B, d *dag.DAG) func() {
	b.Helper()
	return func() {
		_, err := functions().Run(b.Context(), d)
		require.NoError(b, err)
	}
}

// BenchmarkRun compares whole runs of functions that do nothing with the
// reference.
func BenchmarkRun(b *testing.B) {
	for _, s := range shapes() {
		b.Run(fmt.Sprintf("shape=%s/tasks=%d", s.name, s.tasks), func(b *testing.B) {
			children, parents := s.compressed(s.tasks)
			versus(b, "errgroups", mustRun(b, s.dag(s.tasks)), func() {
				require.NoError(b, goPerReady(children, parents))
			})
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*s.tasks), "ns/task")
		})
	}
}

// BenchmarkGrowth compares runs with those of a tenth of the size.
func BenchmarkGrowth(b *testing.B) {
	for _, s := range shapes() {
		b.Run(fmt.Sprintf("shape=%s/tasks=%d", s.name, s.tasks), func(b *testing.B) {
			versus(b, "tenths", mustRun(b, s.dag(s.tasks)), mustRun(b, s.dag(s.tasks/10)))
		})
	}
}

// instances is one task that is multiplied n times.
func instances(n int) *dag.DAG {
	values := make([]string, n)
	for i := range values {
		values[i] = fmt.Sprint(i)
	}
	return &dag.DAG{
		Parameters: dag.Parameters{"I": dag.List(values...)},
		Tasks:      []dag.Task{{Name: "task", Job: dag.Command("noop", "{{I}}")}},
	}
}

// BenchmarkInstances compares the instances of one task with as many tasks.
func BenchmarkInstances(b *testing.B) {
	const n = 1_000_000
	separate := shapes()[0].dag(n)
	for i := range separate.Tasks {
		separate.Tasks[i].Job = dag.Command("noop", fmt.Sprint(i))
	}
	versus(b, "tasks", mustRun(b, instances(n)), mustRun(b, separate))
}

// BenchmarkEdges compares four tasks of 10,000 instances each, a and c before b
// and d, 400 million edges if they were written out, with 40,000 tasks without
// edges.
func BenchmarkEdges(b *testing.B) {
	const n = 10_000
	d := instances(n)
	job := d.Tasks[0].Job
	d.Tasks = []dag.Task{
		{Name: "a", Job: job, Children: []string{"b", "d"}},
		{Name: "b", Job: job},
		{Name: "c", Job: job, Children: []string{"b", "d"}},
		{Name: "d", Job: job},
	}
	versus(b, "tasks", mustRun(b, d), mustRun(b, shapes()[0].dag(4*n)))
}

// BenchmarkProcesses compares runs of processes, 5,000 in all, with a bare loop
// around os/exec with as many workers and the same capture. Runs have process
// groups, environment, usage and capture of both outputs apart. They take turns
// every 250 processes, and the median of the ratios counts, for how long a
// process takes changes with whatever else the machine does.
func BenchmarkProcesses(b *testing.B) {
	const n, rounds = 250, 20
	workers := runtime.NumCPU()
	for _, tc := range []struct {
		name string
		argv []string
		out  bool
	}{
		{"true", []string{"/bin/true"}, false},
		{"echo", []string{"/bin/echo", "hello", "world"}, true},
	} {
		b.Run(fmt.Sprintf("%s=%d", tc.name, n*rounds), func(b *testing.B) {
			d := shapes()[0].dag(n)
			for i := range d.Tasks {
				d.Tasks[i].Job = dag.Command(tc.argv...)
			}
			r := runner.Runner{Executor: fork.New(fork.Config{
				Capacity: capacity.Resources{dag.Cores: int64(workers)},
			})}
			var rates []float64
			for b.Loop() {
				for range rounds {
					bare := timed(func() { bareLoop(b, n, workers, tc.argv, tc.out) })
					ours := timed(func() {
						_, err := r.Run(b.Context(), d)
						require.NoError(b, err)
					})
					rates = append(rates, float64(bare)/float64(ours))
				}
			}
			slices.Sort(rates)
			b.ReportMetric(rates[len(rates)/2], "os-exec-rates")
		})
	}
}

// bareLoop is the least that a Go program can do.
func bareLoop(b *testing.B, n, workers int, argv []string, out bool) {
	b.Helper()
	var g errgroup.Group
	for range workers {
		g.Go(func() error {
			for range n / workers {
				cmd := exec.Command(argv[0], argv[1:]...)
				var stdout, stderr bytes.Buffer
				if out {
					cmd.Stdout, cmd.Stderr = &stdout, &stderr
				}
				if err := cmd.Run(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(b, g.Wait())
}
