package progress_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner/progress"
	"github.com/daggy-go/daggy/statelog/memlog"
)

// What the block shows at some moments of a run.
func TestLiveBlock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := new(screen)
		display := progress.New(out, progress.Config{
			Mode: progress.Live, Width: 60, Running: 3,
		})
		d := tasks("one", "two", "three", "four", "bad", "last")
		d.Tasks[4].MaxRetries, d.Tasks[4].RetryInterval = 1, time.Minute
		d.Tasks[5].Parents = []string{"bad"}
		h := start(t, observed(display, script{
			"one":   lasting(10 * time.Second),
			"two":   lasting(20 * time.Second),
			"three": lasting(5 * time.Minute),
			"four":  lasting(4 * time.Minute),
			"bad":   failing(15*time.Second, "no such file\nand more of that"),
		}), d)
		pass(12*time.Second + refresh/2)
		require.Equal(t, []string{
			" 16% [====>------------------------]  1/6  5.0/min  ETA 1m0s",
			"1 completed, 4 running, 1 waiting  (12s)",
		}, out.see(t)[:2])
		require.Len(t, out.see(t), 6)
		require.Contains(t, out.see(t), "> and 1 more")
		pass(18 * time.Second)
		rows := out.see(t)
		require.ElementsMatch(t, []string{
			" 33% [=========>-------------------]  2/6  4.0/min  ETA 1m0s",
			"2 completed, 2 running, 2 waiting  (30s)",
			"> 30s  three",
			"> 30s  four",
			"~ bad: failure (exit 3): no such file, again in 45s",
		}, rows)
		pass(55 * time.Second)
		rows = out.see(t)
		require.Equal(t, "> 10s  bad  attempt 2", out.find(t, "bad  attempt"))
		require.Equal(t, "~ bad: failure (exit 3): no such file, tried again",
			rows[len(rows)-1])
		pass(10 * time.Second)
		require.Equal(t, "! bad: failure (exit 3): no such file", out.find(t, "! bad"))
		finish(t, display, h)
		require.Equal(t, []string{
			"100% [xxxxxxxxxx====================]  6/6  1.2/min  in 5m0s",
			"run failed: 4 completed, 1 failed, 1 skipped",
			"! bad: failure (exit 3): no such file",
		}, out.see(t))
		require.NoError(t, display.Close())
	})
}

// The longest running comes first, whatever else starts and ends.
func TestLongestRunningFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := new(screen)
		display := progress.New(out, progress.Config{Mode: progress.Live})
		d := tasks("a", "b", "c", "d", "e")
		for i := range d.Tasks[1:] {
			d.Tasks[i+1].NotBefore = time.Now().Add(time.Duration(i+1) * time.Minute)
		}
		h := start(t, observed(display, script{
			"a": lasting(6 * time.Minute), "b": lasting(30 * time.Second),
			"c": lasting(6 * time.Minute), "d": lasting(30 * time.Second),
			"e": lasting(2 * time.Minute),
		}), d)
		pass(5*time.Minute + refresh/2)
		require.Equal(t, []string{"> 5m0s  a", "> 3m0s  c", "> 1m0s  e"}, out.see(t)[2:])
		finish(t, display, h)
	})
}

// An attempt that waits outside, as in the queue of a cluster, runs from when
// its executor says so.
func TestRunningSinceItsExecutorSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := new(screen)
		display := progress.New(out, progress.Config{Mode: progress.Live})
		r := observed(display, nil)
		r.Executor = executor.RunFunc(
			func(_ context.Context, a *executor.Attempt) (executor.Result, error) {
				if a.Task == "queued" {
					<-time.After(time.Minute)
				}
				a.Report(executor.Status{Running: true, Ref: "job 17"})
				<-time.After(2 * time.Minute)
				a.Report(executor.Status{Running: true, Ref: "job 17 moved"})
				<-time.After(2 * time.Minute)
				return executor.Result{}, nil
			})
		d := tasks("queued", "other")
		d.Tasks[1].NotBefore = time.Now().Add(30 * time.Second)
		h := start(t, r, d)
		pass(2*time.Minute + refresh/2)
		require.Equal(t, []string{"> 1m30s  other", "> 1m0s  queued"}, out.see(t)[2:])
		pass(90 * time.Second)
		require.Equal(t, []string{"> 3m0s  other", "> 2m30s  queued"}, out.see(t)[2:])
		finish(t, display, h)
	})
}

// At most ten drawings a second, however much happens, and one at the end.
func TestDrawsTenTimesASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := new(screen)
		display := progress.New(out, progress.Config{Mode: progress.Live})
		d := &dag.DAG{
			Parameters: dag.Parameters{"N": dag.List(make([]string, 1000)...)},
			Tasks:      []dag.Task{{Name: "t", Job: dag.Command("work", "{{N}}")}},
		}
		r := observed(display, script{"t": lasting(100 * time.Millisecond)})
		r.MaxRunning = 10
		h := start(t, r, d)
		finish(t, display, h)
		require.GreaterOrEqual(t, out.writes, 90)
		require.LessOrEqual(t, out.writes, 101)
		require.Equal(t, "run completed: 1000 completed", out.see(t)[1])
		require.Contains(t, out.see(t)[0], "1000/1000  100/s  in 10s")
	})
}

// Generated tasks count as soon as they exist.
func TestTotalGrows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := new(screen)
		display := progress.New(out, progress.Config{Mode: progress.Live})
		text, err := dag.FormatTasks(tasks("x", "y", "z").Tasks)
		require.NoError(t, err)
		d := tasks("generator")
		d.Tasks[0].Generator = true
		h := start(t, observed(display, script{
			"generator": {Duration: time.Minute, Stdout: string(text)},
			"x":         lasting(time.Minute), "y": lasting(time.Minute),
			"z": lasting(2 * time.Minute),
		}), d)
		pass(30*time.Second + refresh/2)
		require.Contains(t, out.see(t)[0], "  0/1")
		pass(time.Minute)
		require.Contains(t, out.see(t)[0], "  1/4")
		require.Equal(t, "1 completed, 3 running  (1m30s)", out.see(t)[1])
		finish(t, display, h)
		require.Equal(t, "run completed: 4 completed", out.see(t)[1])
	})
}

// The newest failures are listed, those for good before others.
func TestFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := new(screen)
		display := progress.New(out, progress.Config{Mode: progress.Live, Failed: 3})
		d := tasks("a", "b", "c", "d", "e", "f", "killed", "lost")
		d.Tasks[1].MaxRetries, d.Tasks[1].RetryInterval = 5, time.Hour
		d.Tasks[2].MaxRetries, d.Tasks[2].RetryInterval = 5, time.Hour
		h := start(t, observed(display, script{
			"a":      failing(1*time.Second, "first"),
			"b":      failing(2*time.Second, "b"),
			"c":      failing(3*time.Second, "c"),
			"d":      {Duration: 4 * time.Second, Err: errors.New("cannot run")},
			"e":      {Duration: time.Minute, Panic: "oh no"},
			"f":      failing(2*time.Minute, ""),
			"killed": lasting(time.Hour),
			"lost":   {Duration: time.Second, Lost: 1},
		}), d)
		pass(10 * time.Second)
		require.NoError(t, h.Kill(context.Background(), "killed"))
		pass(20*time.Second + refresh/2)
		require.Equal(t, []string{
			"! d: cannot run",
			"! a: failure (exit 3): first",
			"~ c: failure (exit 3): c, again in 59m33s",
		}, out.tail(t, 3))
		pass(2 * time.Minute)
		require.Equal(t, []string{
			"! f: failure (exit 3)", "! e: panic: oh no", "! d: cannot run",
		}, out.tail(t, 3))
		require.NoError(t, h.Abort(context.Background(), "enough"))
		finish(t, display, h)
		require.Contains(t, out.see(t)[1], "run killed: ")
		require.Equal(t, []string{
			"! f: failure (exit 3)", "! e: panic: oh no", "! d: cannot run",
		}, out.see(t)[2:])
	})
}

// Negative numbers leave lists out.
func TestNoLists(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := new(screen)
		display := progress.New(out, progress.Config{
			Mode: progress.Live, Running: -1, Failed: -1,
		})
		h := start(t, observed(display, script{
			"bad": failing(time.Second, "x"), "slow": lasting(time.Minute),
		}), tasks("bad", "slow"))
		pass(30*time.Second + refresh/2)
		require.Len(t, out.see(t), 2)
		finish(t, display, h)
		require.Len(t, out.see(t), 2)
	})
}

// Runs that overlap share a block, the next one has another.
func TestSeveralRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := new(screen)
		display := progress.New(out, progress.Config{Mode: progress.Live})
		r := observed(display, script{
			"a": lasting(time.Minute), "b": lasting(3 * time.Minute),
			"c": failing(time.Minute, "x"),
		})
		first, second := start(t, r, tasks("a", "b")), start(t, r, tasks("c"))
		pass(2*time.Minute + refresh/2)
		require.Contains(t, out.see(t)[0], "  2/3")
		require.Equal(t, "1 completed, 1 running, 1 failed  (2m0s)", out.see(t)[1])
		third := start(t, r, tasks("a"))
		pass(30 * time.Second)
		require.Contains(t, out.see(t)[0], "  2/4")
		finish(t, display, first)
		finish(t, display, second)
		finish(t, display, third)
		require.Equal(t, "3 runs: 2 completed, 1 failed: 3 completed, 1 failed", out.see(t)[1])
		rows := len(out.see(t))
		finish(t, display, start(t, r, tasks("b")))
		require.Equal(t, "run completed: 1 completed", out.see(t)[rows+1])
		require.Len(t, out.see(t), rows+2)
	})
}

// A run that begins while the last block is still being drawn waits for it.
func TestRunsInQuickSuccession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := new(screen)
		display := progress.New(out, progress.Config{Mode: progress.Live})
		for range 20 {
			_, err := observed(display, nil).Run(t.Context(), tasks("a", "b"))
			require.NoError(t, err)
		}
		require.NoError(t, display.Wait(context.Background()))
		total := 0
		for _, row := range out.see(t) {
			switch {
			case row == "run completed: 2 completed":
				total++
			case strings.HasPrefix(row, "100% ["):
			default:
				// Runs that overlapped the end of the one before are in its block.
				require.Regexp(t, `^\d+ runs: \d+ completed: \d+ completed$`, row)
			}
		}
		require.NotZero(t, total)
		require.NoError(t, display.Close())
	})
}

// R5: an interrupted run is not closed, but it is over.
func TestInterruptedRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := new(screen)
		display := progress.New(out, progress.Config{Mode: progress.Live})
		h := start(t, observed(display, script{
			"a": lasting(time.Minute), "b": lasting(time.Hour),
		}), tasks("a", "b"))
		pass(2 * time.Minute)
		require.NoError(t, h.Stop(context.Background()))
		finish(t, display, h)
		require.Len(t, out.see(t), 2)
		require.Contains(t, out.see(t)[1], "run interrupted: 1 completed, 1 waiting")
	})
}

func TestEmptyRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := new(screen)
		display := progress.New(out, progress.Config{Mode: progress.Live, Width: 40})
		finish(t, display, start(t, observed(display, nil), new(dag.DAG)))
		require.Equal(t, "run completed: no tasks", out.see(t)[1])
		require.Contains(t, out.see(t)[0], "100% [")
	})
}

// L4: what was done before a run was resumed says nothing of its pace.
func TestResumedRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := tasks("a", "b", "c")
		s := script{
			"a": lasting(time.Second), "b": lasting(time.Minute), "c": lasting(2 * time.Minute),
		}
		out := new(screen)
		display := progress.New(out, progress.Config{Mode: progress.Live})
		r := observed(display, s)
		r.Log = memlog.New()
		h := start(t, r, d)
		pass(10 * time.Second)
		require.NoError(t, h.Stop(context.Background()))
		finish(t, display, h)
		first := len(out.see(t))
		h, err := r.Resume(t.Context(), h.ID())
		require.NoError(t, err)
		pass(30*time.Second + refresh/2)
		require.Contains(t, out.see(t)[first], "  1/3")
		require.NotContains(t, out.see(t)[first], "/s")
		require.NotContains(t, out.see(t)[first], "ETA")
		pass(time.Minute)
		require.Contains(t, out.see(t)[first], "  2/3  1.0/min  ETA 1m0s")
		finish(t, display, h)
		require.Contains(t, out.see(t)[first+1], "run completed: 3 completed")
	})
}
