package remote_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/executor/remote"
)

// runMany runs so many attempts with so many workers, and returns how many a second.
func runMany(b *testing.B, ex executor.Executor, job dag.Job, workers, count int) float64 {
	b.Helper()
	prefix := strings.ToLower(rand.Text())
	var next atomic.Int64
	var running sync.WaitGroup
	begin := time.Now()
	durable, _ := executor.As[executor.Durable](ex)
	for range workers {
		running.Go(func() {
			for {
				n := int(next.Add(1))
				if n > count {
					return
				}
				a := executor.Attempt{
					Run: "r", Task: "t", Instance: "t", Number: 1,
					Key: fmt.Sprintf("%s-%d", prefix, n), Job: job,
					Stdout: io.Discard, Stderr: io.Discard,
				}
				res, err := ex.Run(b.Context(), &a)
				if err != nil || !res.OK() {
					b.Errorf("%v %v", res, err)
					return
				}
			}
		})
	}
	running.Wait()
	rate := float64(count) / time.Since(begin).Seconds()
	if durable != nil {
		keys := make([]string, count)
		for n := range keys {
			keys[n] = fmt.Sprintf("%s-%d", prefix, n+1)
		}
		require.NoError(b, durable.Forget(b.Context(), keys...))
	}
	return rate
}

// direct is an executor for a machine without a proxy before it.
func direct(b *testing.B, c remote.Config, m *machine) *remote.Executor {
	b.Helper()
	c.Nodes = []remote.Node{{Name: m.config.Node, URL: "http://" + m.config.Address}}
	e, err := remote.New(c)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, e.Close()) })
	require.NoError(b, e.Await(b.Context()))
	return e
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// BenchmarkProcesses compares 2,000 real processes through a daemon with the same
// through fork in this process, which promises as much: with a journal that they
// survive either end, without one nothing. In turns; the metrics are medians.
func BenchmarkProcesses(b *testing.B) {
	for _, ephemeral := range []bool{false, true} {
		for _, workers := range []int{64, 256} {
			name := fmt.Sprintf("ephemeral=%v/workers=%d", ephemeral, workers)
			b.Run(name, func(b *testing.B) { benchProcesses(b, ephemeral, workers) })
		}
	}
}

func benchProcesses(b *testing.B, ephemeral bool, workers int) {
	b.Helper()
	const count = 2000
	m := bootAs(b, daemonConfig{Node: "n", Capacity: cores(1000), Ephemeral: ephemeral})
	e := direct(b, remote.Config{Ephemeral: ephemeral}, m)
	var c fork.Config
	if !ephemeral {
		c.Dir = b.TempDir() + "/local"
	}
	local := fork.New(c)
	job := dag.Command("/bin/true")
	runMany(b, e, job, workers, 200) // the supervisors have to start
	runMany(b, local, job, workers, 200)
	var rates, ratios []float64
	for b.Loop() {
		before := runMany(b, local, job, workers, count/2)
		rate := runMany(b, e, job, workers, count)
		after := runMany(b, local, job, workers, count/2)
		rates = append(rates, rate)
		ratios = append(ratios, rate/(2/(1/before+1/after)))
	}
	b.ReportMetric(median(rates), "tasks/s")
	b.ReportMetric(median(ratios), "rate/fork")
}

// BenchmarkNoop is attempts that do nothing, through client and daemon.
func BenchmarkNoop(b *testing.B) {
	for _, ephemeral := range []bool{false, true} {
		for _, workers := range []int{1, 64, 1024} {
			b.Run(fmt.Sprintf("ephemeral=%v/workers=%d", ephemeral, workers), func(b *testing.B) {
				m := bootAs(b, daemonConfig{
					Node: "n", Capacity: cores(100000), Noop: true, Ephemeral: ephemeral,
				})
				e := direct(b, remote.Config{Ephemeral: ephemeral}, m)
				count := 20 * max(workers, 50)
				var rates []float64
				for b.Loop() {
					rates = append(rates, runMany(b, e, dag.Command("true"), workers, count))
				}
				b.ReportMetric(median(rates), "tasks/s")
			})
		}
	}
}

// BenchmarkIdle is what 1,000 attempts cost that run on 100 daemons, one second of
// which is an iteration: processor time of this process, with leases of 6 seconds, so
// that a renewal is due on each node every second.
func BenchmarkIdle(b *testing.B) {
	const nodes, each = 100, 10
	var c remote.Config
	m := bootAs(b, daemonConfig{Node: "n", Capacity: cores(10000), Hold: true})
	c.Lease = 6 * time.Second
	for i := range nodes {
		// To the client these are machines of their own.
		c.Nodes = append(c.Nodes, remote.Node{
			Name: fmt.Sprintf("n%d", i), URL: "http://" + m.config.Address,
		})
	}
	e, err := remote.New(c)
	require.NoError(b, err)
	defer func() { require.NoError(b, e.Close()) }()
	require.NoError(b, e.Await(b.Context()))
	ctx, cancel := context.WithCancelCause(b.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel(context.Canceled)
	var up atomic.Int64
	prefix := strings.ToLower(rand.Text())
	for i := range nodes * each {
		running.Go(func() {
			_, _ = e.Run(ctx, &executor.Attempt{
				Run: "r", Task: "t", Instance: "t", Number: 1, Key: fmt.Sprintf("%s-%d", prefix, i),
				Node: fmt.Sprintf("n%d", i%nodes), Job: dag.Command("true"),
				Stdout: io.Discard, Stderr: io.Discard,
				OnReport: func(s executor.Status) {
					if s.Running {
						up.Add(1)
					}
				},
			})
		})
	}
	require.Eventually(b, func() bool { return up.Load() == nodes*each }, patience,
		time.Millisecond)
	begin, cpu := time.Now(), cpuTime(b)
	for b.Loop() {
		<-time.After(time.Second)
	}
	b.ReportMetric(100*(cpuTime(b)-cpu)/time.Since(begin).Seconds(), "%cpu")
}

// cpuTime is what this process has used, in seconds.
func cpuTime(tb testing.TB) float64 {
	tb.Helper()
	var usage unix.Rusage
	require.NoError(tb, unix.Getrusage(unix.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}
