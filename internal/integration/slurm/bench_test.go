package slurm_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/slurm"
	"github.com/daggy-go/daggy/internal/integration/servertest"
	"github.com/daggy-go/daggy/runner"
)

// BenchmarkArray compares 1,000 instances of a task with an array by hand, of the
// same script.
func BenchmarkArray(b *testing.B) {
	const n = 1000
	cluster := count(servertest.StartSlurm(b, servertest.SlurmConfig{}))
	var hand, ours time.Duration
	for b.Loop() {
		dir := b.TempDir()
		argv, script := byHand(b, cluster, filepath.Join(dir, "by-hand"),
			journal(filepath.Join(dir, "hand")).many(n, ""))
		start := time.Now()
		_, stderr, exit, err := cluster.Run(b.Context(), script, argv[0], argv[1:]...)
		require.NoError(b, err)
		require.Zero(b, exit, string(stderr))
		// "sbatch --wait" notices half a minute late.
		for lines := 0; lines < n; {
			time.Sleep(50 * time.Millisecond) //nolint:forbidigo // it measures
			text, err := os.ReadFile(filepath.Join(dir, "hand"))
			if !os.IsNotExist(err) {
				require.NoError(b, err)
			}
			lines = strings.Count(string(text), "\n")
		}
		hand += time.Since(start)

		c := cluster.config(filepath.Join(dir, "shared"))
		c.Interval = time.Second
		before := cluster.called("sbatch")
		listed := cluster.called("squeue")
		start = time.Now()
		r := runner.Runner{Executor: slurm.New(c)}
		_, err = r.Run(b.Context(), journal(filepath.Join(dir, "ours")).many(n, ""))
		require.NoError(b, err)
		ours += time.Since(start)
		b.ReportMetric(float64(cluster.called("sbatch")-before), "sbatch/op")
		b.ReportMetric(float64(cluster.called("squeue")-listed), "squeue/op")
		for _, file := range []string{"hand", "ours"} {
			text, err := os.ReadFile(filepath.Join(dir, file))
			require.NoError(b, err)
			require.Equal(b, n, strings.Count(string(text), "\n"))
		}
	}
	b.ReportMetric(hand.Seconds()/float64(b.N), "s-by-hand/op")
	b.ReportMetric(ours.Seconds()/hand.Seconds(), "times-by-hand")
}

// byHand has everything prepared for the jobs of d, and returns the command that
// submits them, which was not run.
func byHand(
	b *testing.B, cluster *counter, dir string, d *dag.DAG,
) (argv []string, script string) {
	b.Helper()
	c := cluster.config(dir)
	prepared := make(chan struct{})
	c.Commands = func(ctx context.Context, args []string, in string) (slurm.Answer, error) {
		if args[0] != "sbatch" {
			return cluster.run(ctx, args, in)
		}
		if argv == nil {
			argv, script = args, in
			close(prepared)
		}
		return slurm.Answer{Exit: 1}, nil
	}
	r := runner.Runner{Executor: slurm.New(c)}
	h, err := r.Start(b.Context(), d)
	require.NoError(b, err)
	<-prepared
	require.NoError(b, h.Detach(b.Context()))
	return argv, script
}

// BenchmarkDifferent compares the rate at which 500 different tasks are submitted
// with sbatch in a loop.
func BenchmarkDifferent(b *testing.B) {
	const n = 500
	cluster := count(servertest.StartSlurm(b, servertest.SlurmConfig{}))
	var hand, ours time.Duration
	for b.Loop() {
		start := time.Now()
		for range n {
			_, err := cluster.Output(b.Context(), "sbatch", "--output=/dev/null",
				"--begin=now+1hour", "--wrap=true")
			require.NoError(b, err)
		}
		hand += time.Since(start)
		cancelAll := func() {
			_, err := cluster.Output(b.Context(), "scancel", "--user=root")
			require.NoError(b, err)
		}
		cancelAll()
		d := &dag.DAG{}
		for i := range n {
			d.Tasks = append(d.Tasks, dag.Task{
				Name: "task" + strconv.Itoa(i),
				Job: dag.Job{
					Command: []string{"true"},
					Options: map[string]any{"extraArgs": []string{"--begin=now+1hour"}},
				},
			})
		}
		c := cluster.config(b.TempDir())
		c.Interval = time.Second
		e := slurm.New(c)
		before := cluster.called("sbatch")
		ctx, cancel := context.WithCancel(b.Context())
		var g errgroup.Group
		start = time.Now()
		g.Go(func() error {
			r := runner.Runner{Executor: e}
			_, _ = r.Run(ctx, d) // interrupted
			return nil
		})
		for cluster.called("sbatch")-before < n || cluster.now.Load() > 0 {
			time.Sleep(time.Millisecond) //nolint:forbidigo // it measures
		}
		ours += time.Since(start)
		cancel()
		require.NoError(b, g.Wait())
		cancelAll()
	}
	rate := func(d time.Duration) float64 { return n * float64(b.N) / d.Seconds() }
	b.ReportMetric(rate(hand), "by-hand/s")
	b.ReportMetric(rate(ours), "ours/s")
	b.ReportMetric(float64(cluster.most.Load()), "at-once")
}

// BenchmarkChain measures what there is between the end of a job and the
// submission of its child.
func BenchmarkChain(b *testing.B) {
	const n = 10
	cluster := count(servertest.StartSlurm(b, servertest.SlurmConfig{}))
	var most, sum time.Duration
	for b.Loop() {
		var submitted []time.Time
		c := cluster.config(b.TempDir())
		c.Interval, c.ArrayWait = slurm.DefaultInterval, 0
		c.Commands = func(ctx context.Context, argv []string, in string) (slurm.Answer, error) {
			if argv[0] == "sbatch" {
				submitted = append(submitted, time.Now())
			}
			return cluster.run(ctx, argv, in)
		}
		d := &dag.DAG{}
		for i := range n {
			task := dag.Task{Name: "task" + strconv.Itoa(i), Job: dag.Command("true")}
			if i > 0 {
				task.Parents = []string{"task" + strconv.Itoa(i-1)}
			}
			d.Tasks = append(d.Tasks, task)
		}
		r := runner.Runner{Executor: slurm.New(c)}
		report, err := r.Run(b.Context(), d)
		require.NoError(b, err)
		require.Len(b, submitted, n)
		for i := range n - 1 {
			task, _ := report.Task("task" + strconv.Itoa(i))
			gap := submitted[i+1].Sub(task.Result.End)
			most = max(most, gap)
			sum += gap
		}
	}
	b.ReportMetric(most.Seconds()*1000, "ms-most")
	b.ReportMetric(sum.Seconds()*1000/float64(b.N*(n-1)), "ms-mean")
}

// BenchmarkQueue measures what an engine takes for 5,000 jobs in the queue: memory,
// all in all, and processor time.
func BenchmarkQueue(b *testing.B) {
	const n = 5000
	cluster := count(servertest.StartSlurm(b, servertest.SlurmConfig{}))
	d := &dag.DAG{Parameters: dag.Parameters{"N": numbers(n)}, Tasks: []dag.Task{{
		Name: "many", Job: dag.Job{
			Command: []string{"echo", "{{N}}"},
			Options: map[string]any{"extraArgs": []any{"--begin=now+1hour"}},
		},
	}}}
	for b.Loop() {
		c := cluster.config(b.TempDir())
		c.Interval = slurm.DefaultInterval
		benchQueue(b, slurm.New(c), d, func() bool {
			out, err := cluster.Output(b.Context(), "squeue", "--noheader", "--array")
			return err == nil && strings.Count(out, "\n") == n
		})
	}
}

// benchQueue runs d until all is queued, and looks at that for some time.
func benchQueue(b *testing.B, e executor.Executor, d *dag.DAG, queued func() bool) {
	b.Helper()
	const watched = 30 * time.Second
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	r := runner.Runner{Executor: e, MaxRunning: slurm.DefaultMaxQueued}
	h, err := r.Start(ctx, d)
	require.NoError(b, err)
	for !queued() {
		time.Sleep(time.Second) //nolint:forbidigo // it measures
	}
	time.Sleep(2 * slurm.DefaultInterval) //nolint:forbidigo // until it is at rest
	before := processor(b)
	time.Sleep(watched) //nolint:forbidigo // it measures
	b.ReportMetric(100*(processor(b)-before).Seconds()/watched.Seconds(), "%-of-a-core")
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc+m.StackInuse)/1e6, "MB")
	cancel()
	_, err = h.Wait(b.Context())
	require.Error(b, err)
}

// processor is the time that this process has taken, without its children's.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
