package runner_test

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/executor/inproc"
	"github.com/daggy-go/daggy/internal/helperproc"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog/filelog"
)

// openLog opens a log in files until the benchmark is over, or closed.
func openLog(b *testing.B, dir string) *filelog.Log {
	b.Helper()
	log, err := filelog.Open(b.Context(), dir, filelog.Config{})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, log.Close()) })
	return log
}

// BenchmarkDurable compares runs with a log in files with the same in memory:
// how long they take, and how many bytes of it there are for each instance.
func BenchmarkDurable(b *testing.B) {
	const n = 1_000_000
	b.Run(fmt.Sprintf("instances=%d", n), func(b *testing.B) {
		d, size := instances(n), int64(0)
		versus(b, "memlogs", func() {
			dir := filepath.Join(b.TempDir(), "log")
			r := functions()
			r.Log = openLog(b, dir)
			_, err := r.Run(b.Context(), d)
			require.NoError(b, err)
			size = sizeOf(b, dir)
		}, mustRun(b, d))
		b.ReportMetric(float64(size)/n, "B/task")
	})
}

func sizeOf(b *testing.B, dir string) (size int64) {
	b.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(b, err)
	for _, f := range files {
		info, err := f.Info()
		require.NoError(b, err)
		size += info.Size()
	}
	return size
}

// BenchmarkDetached compares runs of processes that outlive the engine, with a log
// in files, with those of processes that do not, with a log in memory. They take
// turns like those of BenchmarkProcesses.
func BenchmarkDetached(b *testing.B) {
	const n, rounds = 250, 20
	cores := capacity.Resources{dag.Cores: int64(runtime.NumCPU())}
	d := shapes()[0].dag(n)
	for i := range d.Tasks {
		d.Tasks[i].Job = dag.Command("/bin/echo", "hello", "world")
	}
	dir := b.TempDir()
	processes := filepath.Join(dir, "processes")
	defer func() { require.NoError(b, helperproc.AwaitSupervisor(processes)) }()
	attached := &runner.Runner{Executor: fork.New(fork.Config{Capacity: cores})}
	detached := &runner.Runner{
		Executor: fork.New(fork.Config{Capacity: cores, Dir: processes}),
		Log:      openLog(b, filepath.Join(dir, "log")),
	}
	run := func(r *runner.Runner) func() {
		return func() {
			_, err := r.Run(b.Context(), d)
			require.NoError(b, err)
		}
	}
	var ratios []float64
	run(detached)() // the supervisor has to start
	b.Run(fmt.Sprintf("echo=%d", n*rounds), func(b *testing.B) {
		for b.Loop() {
			for range rounds {
				its := timed(run(attached))
				ratios = append(ratios, float64(timed(run(detached)))/float64(its))
			}
		}
		slices.Sort(ratios)
		b.ReportMetric(ratios[len(ratios)/2], "memlogs")
	})
}

// BenchmarkResume compares going on with a run of which a million instances have
// completed, its log being opened anew, with reading and check-summing its file
// once. It reports how much the resident set grows at most meanwhile.
func BenchmarkResume(b *testing.B) {
	const n = 1_000_000
	d := instances(n)
	d.Tasks = append(d.Tasks, dag.Task{
		Name: "last", Job: dag.Command("wait"), Parents: []string{"task"},
	})
	dir := filepath.Join(b.TempDir(), "log")
	interrupted(b, dir, d)
	b.Run(fmt.Sprintf("completed=%d", n), func(b *testing.B) {
		var ratios []float64
		worst := 0
		for b.Loop() {
			b.StopTimer()
			its := timed(func() { checksum(b, dir) })
			debug.FreeOSMemory()
			// Resets the peak, see proc_pid_clear_refs(5).
			require.NoError(b, os.WriteFile("/proc/self/clear_refs", []byte("5"), 0))
			before := status(b, "VmRSS:")
			b.StartTimer()
			start := time.Now()
			log := openLog(b, dir)
			h, err := waiting(nil, log).Resume(b.Context(), "x")
			require.NoError(b, err)
			ratios = append(ratios, float64(time.Since(start))/float64(its))
			b.StopTimer()
			worst = max(worst, status(b, "VmHWM:")-before)
			require.Equal(b, n, h.Counts()[runner.Completed])
			require.NoError(b, h.Stop(b.Context()))
			require.NoError(b, log.Close())
			b.StartTimer()
		}
		slices.Sort(ratios)
		b.ReportMetric(ratios[len(ratios)/2], "file-reads")
		b.ReportMetric(float64(worst)/1024, "MiB")
	})
}

// waiting returns a Runner with a function that says that it was called and waits
// until it is stopped.
func waiting(called chan<- struct{}, log *filelog.Log) *runner.Runner {
	wait := func(ctx context.Context, _ *inproc.Call) error {
		if called != nil {
			close(called)
		}
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return &runner.Runner{Log: log, Executor: inproc.New(inproc.Config{
		Funcs: inproc.Funcs{"noop": noop, "wait": wait},
	})}
}

// interrupted leaves a run in a log of which all is done but the last task.
func interrupted(b *testing.B, dir string, d *dag.DAG) {
	b.Helper()
	log, called := openLog(b, dir), make(chan struct{})
	h, err := waiting(called, log).Ensure(b.Context(), "x", d)
	require.NoError(b, err)
	<-called
	require.NoError(b, h.Stop(b.Context()))
	require.NoError(b, log.Close())
}

// checksum reads all files of a log.
func checksum(b *testing.B, dir string) {
	b.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(b, err)
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	for _, file := range files {
		f, err := os.Open(filepath.Join(dir, file.Name()))
		require.NoError(b, err)
		_, err = io.CopyBuffer(sum, struct{ io.Reader }{f}, make([]byte, 1<<20))
		require.NoError(b, err)
		require.NoError(b, f.Close())
	}
}
