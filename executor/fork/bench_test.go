//go:build linux || darwin

package fork_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
)

// BenchmarkFork compares the executor with the least that a Go program can do, a
// bare loop around os/exec with as many workers. The executor has everything on
// (process group, 40 variables, stopping, usage); unless it is called bare, it
// captures both outputs apart. One iteration is a round of each, so that the
// noise of the machine falls on both; the metrics are medians over the rounds.
func BenchmarkFork(b *testing.B) {
	for _, c := range []struct {
		name    string
		argv    []string
		workers int
		capture bool // by the executor
		same    bool // by the loop too
	}{
		{"true/captured=neither", []string{"/bin/true"}, 2, false, false},
		{"true/captured=fork", []string{"/bin/true"}, 2, true, false},
		{"echo/captured=both", []string{"/bin/echo", "hello", "world"}, 2, true, true},
		{"echo/captured=both/workers=64", []string{"/bin/echo", "hello", "world"}, 64, true, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			e := fork.New(fork.Config{})
			bare := func() error { return runBare(c.argv, c.same) }
			ours := func() error { return runOurs(b.Context(), e, c.argv, c.capture) }
			compare(b, c.workers, bare, ours)
		})
	}
}

// BenchmarkForkSlots compares 64 workers with 2: more than there are processors
// must not lower the rate.
func BenchmarkForkSlots(b *testing.B) {
	e := fork.New(fork.Config{})
	ours := func() error { return runOurs(b.Context(), e, []string{"/bin/true"}, true) }
	const rounds = 128
	var ratios []float64
	for b.Loop() {
		few := measure(b, 2, rounds, ours)
		many := measure(b, 64, rounds, ours)
		ratios = append(ratios, many.rate/few.rate)
	}
	b.ReportMetric(median(ratios), "rate/2-slots")
}

// BenchmarkForkHeap compares starting processes while this process has 1 GiB
// more with doing so while it has not.
func BenchmarkForkHeap(b *testing.B) {
	e := fork.New(fork.Config{})
	ours := func() error { return runOurs(b.Context(), e, []string{"/bin/true"}, true) }
	const rounds = 128
	var ratios []float64
	for b.Loop() {
		small := measure(b, 2, rounds, ours)
		heap, err := unix.Mmap(-1, 0, 1<<30, unix.PROT_READ|unix.PROT_WRITE,
			unix.MAP_ANON|unix.MAP_PRIVATE)
		require.NoError(b, err)
		for i := 0; i < len(heap); i += unix.Getpagesize() {
			heap[i] = 1
		}
		large := measure(b, 2, rounds, ours)
		require.NoError(b, unix.Munmap(heap))
		ratios = append(ratios, large.rate/small.rate)
	}
	b.ReportMetric(median(ratios), "rate/small")
}

func compare(b *testing.B, workers int, bare, ours func() error) {
	b.Helper()
	b.ReportAllocs()
	n := max(64, 4*workers) // short, so that both meet the same noise
	var rates, rateRatios, cpuRatios []float64
	for b.Loop() {
		// In turns, for who comes second finds a warmer machine.
		x := measure(b, workers, n/2, bare)
		y := measure(b, workers, n, ours)
		z := measure(b, workers, n/2, bare)
		x.rate = 2 / (1/x.rate + 1/z.rate)
		x.cpu = (x.cpu + z.cpu) / 2
		rates = append(rates, y.rate)
		rateRatios = append(rateRatios, y.rate/x.rate)
		cpuRatios = append(cpuRatios, y.cpu/x.cpu)
	}
	b.ReportMetric(median(rates), "tasks/s")
	b.ReportMetric(median(rateRatios), "rate/os-exec")
	b.ReportMetric(median(cpuRatios), "cpu/os-exec")
}

type speed struct{ rate, cpu float64 }

func measure(b *testing.B, workers, n int, run func() error) speed {
	b.Helper()
	errs := make([]error, workers)
	cpu, begin := cpuTime(b), time.Now()
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			for range n / workers {
				if err := run(); err != nil {
					errs[w] = err
				}
			}
		})
	}
	running.Wait()
	s := speed{
		rate: float64(n) / time.Since(begin).Seconds(),
		cpu:  float64(cpuTime(b)-cpu) / float64(n),
	}
	for _, err := range errs {
		require.NoError(b, err)
	}
	return s
}

func runBare(argv []string, capture bool) error {
	var stdout, stderr bytes.Buffer
	c := exec.Command(argv[0], argv[1:]...)
	if capture {
		c.Stdout, c.Stderr = &stdout, &stderr
	}
	return c.Run()
}

func runOurs(ctx context.Context, e *fork.Executor, argv []string, capture bool) error {
	var stdout, stderr bytes.Buffer
	a := benchAttempt(argv)
	if capture {
		a.Stdout, a.Stderr = &stdout, &stderr
	}
	return runToEnd(ctx, e, a)
}

// runHeld runs a short command, whose outputs are captured, with resources.
func runHeld(ctx context.Context, e *fork.Executor, r dag.Resources) error {
	var stdout, stderr bytes.Buffer
	a := benchAttempt([]string{"/bin/true"})
	a.Job.Resources = r
	a.Stdout, a.Stderr = &stdout, &stderr
	return runToEnd(ctx, e, a)
}

func benchAttempt(argv []string) *executor.Attempt {
	return &executor.Attempt{
		Run: "run", Task: "task", Instance: "task", Number: 1, Key: nextKey(),
		Job:    dag.Job{Command: argv, Environment: variables()},
		Stdout: io.Discard, Stderr: io.Discard,
	}
}

func runToEnd(ctx context.Context, e *fork.Executor, a *executor.Attempt) error {
	r, err := e.Run(ctx, a)
	if err == nil && (!r.OK() || len(r.Left) > 0) {
		err = fmt.Errorf("%v, left %v", r, r.Left)
	}
	return err
}

// keys counts the attempts of the benchmarks.
var keys atomic.Int64

// nextKey is a key like those of the runner.
func nextKey() string { return "bench-0-" + strconv.FormatInt(keys.Add(1), 10) + "-1" }

var variables = sync.OnceValue(func() []string {
	var env []string
	for i := range 40 {
		n := strconv.Itoa(i)
		env = append(env, "VARIABLE_"+n+"=the value of variable "+n)
	}
	return env
})

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var sum int64
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var usage unix.Rusage
		require.NoError(b, unix.Getrusage(who, &usage))
		sum += usage.Utime.Nano() + usage.Stime.Nano()
	}
	return time.Duration(sum)
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
