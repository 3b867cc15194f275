package slurm_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/slurm"
)

// One listing an interval, whatever the number of jobs; arrays as large as may be.
func TestCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		e, dir := setup(t, s)
		const n = 1200
		calls := make([]*call, n)
		for i := range calls {
			calls[i] = begin(t, e, attempt(fmt.Sprintf("key-%d", i), dag.Command("true")))
		}
		pass(4*slurm.DefaultInterval + time.Second)
		require.Equal(t, 3, s.called("sbatch"), "arrays of 501, 501 and 198")
		require.LessOrEqual(t, s.called("squeue"), 5)
		for i := range calls {
			key := fmt.Sprintf("key-%d", i)
			write(t, dir, "exits", key, reportOf1(key, 0, "-"))
		}
		pass(slurm.DefaultInterval)
		for _, c := range calls {
			require.True(t, c.over())
			require.NoError(t, c.err)
		}
		listed := s.called("squeue")
		pass(time.Hour)
		require.Equal(t, listed, s.called("squeue"), "nobody asks, so nothing is asked")
	})
}

// What comes while others of its task are being submitted, however slowly, goes together
// next.
func TestSlowSubmissions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n, took = 60, 10 * time.Second
		s := &script{}
		e := before(t, s, func() { pass(took) })
		for i := range n {
			c := begin(t, e, attempt(fmt.Sprintf("key-%d", i), dag.Command("true")))
			defer c.detach(t)
			pass(2 * slurm.DefaultArrayWait)
			if i > 0 && i < n/2 {
				require.Contains(t, c.status().Reason, "others of its task")
			}
		}
		pass(2 * took)
		require.Equal(t, 3, s.called("sbatch"), "of the first, of 10 seconds, and of 2")
	})
}

// A submission that ends the goroutine is repeated, and holds up no other of its task.
func TestSubmissionThatNeverReturns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		var once sync.Once
		e := before(t, s, func() { once.Do(runtime.Goexit) })
		calls := make([]*call, 2)
		for i := range calls {
			calls[i] = begin(t, e, attempt(fmt.Sprintf("key-%d", i), dag.Command("true")))
			pass(time.Second)
		}
		pass(5 * time.Minute)
		for _, c := range calls {
			require.NotEmpty(t, c.status().Ref)
			c.detach(t)
		}
	})
}

// before returns an executor that calls f before each sbatch.
func before(t *testing.T, s *script, f func()) *slurm.Executor {
	t.Helper()
	return slurm.Unwatched(slurm.New(slurm.Config{
		Dir: t.TempDir(), Commands: func(
			ctx context.Context, argv []string, in string,
		) (slurm.Answer, error) {
			if argv[0] == "sbatch" {
				f()
			}
			return s.run(ctx, argv, in)
		},
	}))
}

// Submissions are three at a time at most, and no more in a second than they may be.
func TestSubmissionsArePaced(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		took time.Duration
		rate int
		want int // in 4 seconds
	}{
		"slow":    {time.Second, 0, 12},
		"limited": {0, 5, 22},
		"free":    {0, -1, 60},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{}
				var now, most atomic.Int32
				e := slurm.Unwatched(slurm.New(slurm.Config{
					Dir: t.TempDir(), ArraySize: 1, SubmitRate: tc.rate, Commands: func(
						ctx context.Context, argv []string, in string,
					) (slurm.Answer, error) {
						if argv[0] == "sbatch" {
							most.Store(max(most.Load(), now.Add(1)))
							<-time.After(tc.took)
							now.Add(-1)
						}
						return s.run(ctx, argv, in)
					},
				}))
				calls := make([]*call, 60)
				for i := range calls {
					calls[i] = begin(t, e, attempt(fmt.Sprintf("key-%d", i), dag.Command("true")))
				}
				pass(4*time.Second + time.Millisecond)
				require.InDelta(t, tc.want, s.called("sbatch"), 3)
				require.LessOrEqual(t, int(most.Load()), 3)
				for _, c := range calls {
					c.cancel(executor.ErrDetach)
				}
				pass(2 * tc.took) // what sbatch has is seen to its end
				for _, c := range calls {
					require.True(t, c.over())
				}
			})
		})
	}
}

// What is over the limit waits here, and says so.
func TestMaxQueued(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		dir := t.TempDir()
		e := slurm.Unwatched(slurm.New(slurm.Config{
			Dir: dir, Commands: s.run, MaxQueued: 2, ArraySize: 1,
		}))
		calls := make([]*call, 3)
		for i := range calls {
			calls[i] = begin(t, e, attempt(fmt.Sprintf("key-%d", i), dag.Command("true")))
			synctest.Wait()
		}
		pass(slurm.DefaultInterval)
		require.Equal(t, 2, s.called("sbatch"))
		require.Contains(t, calls[2].status().Reason, "MaxQueued")
		write(t, dir, "exits", "key-0", reportOf1("key-0", 0, "-"))
		pass(2 * slurm.DefaultInterval)
		require.True(t, calls[0].over())
		require.Equal(t, 3, s.called("sbatch"))
		for _, c := range calls[1:] {
			c.detach(t)
		}
	})
}

// Room that jobs leave in a full queue is not filled by one job after the other, and not
// left empty for long.
func TestRoomIsFilledByArrays(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		every time.Duration // one leaves the queue
		want  int           // submissions for 400 jobs, of which 100 may be in the queue
	}{
		"fast":   {100 * time.Millisecond, 1 + 300/25},
		"slowly": {slurm.DefaultInterval / 5, 1 + 300/6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{}
				e := slurm.Unwatched(slurm.New(slurm.Config{
					Dir: t.TempDir(), Commands: s.run, MaxQueued: 100,
				}))
				calls := make([]*call, 400)
				for i := range calls {
					calls[i] = begin(t, e, attempt(fmt.Sprintf("key-%d", i), dag.Command("true")))
					synctest.Wait() // they are submitted in this order
				}
				pass(slurm.DefaultInterval)
				for _, c := range calls {
					c.detach(t)
					pass(tc.every)
				}
				require.InDelta(t, tc.want, s.called("sbatch"), float64(tc.want)/4)
			})
		})
	}
}

// A submission of which it is not known whether it arrived is repeated once the
// queue has been seen without it, and less and less often.
func TestUnclearSubmission(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		s.sbatch = func(n int) slurm.Answer {
			if n < 4 {
				return slurm.Answer{Exit: 1, Stderr: []byte("sbatch: error: Batch job submission" +
					" failed: Unable to contact slurm controller (connect failure)")}
			}
			return slurm.Answer{Stdout: []byte("44\n")}
		}
		c, _ := one(t, s)
		pass(time.Second)
		require.Contains(t, c.status().Reason, "not known")
		require.Equal(t, 1, s.called("sbatch"))
		pass(2 * time.Minute)
		require.Equal(t, 4, s.called("sbatch"))
		require.Equal(t, "44", c.status().Ref)
		c.detach(t)
	})
}

// What was submitted twice is found under both names, also by another engine.
func TestUnclearSubmissionIsFoundLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		s.sbatch = func(n int) slurm.Answer {
			if n == 1 {
				return slurm.Answer{Exit: 1, Stderr: []byte("sbatch: error: Batch job submission" +
					" failed: Socket timed out on send/recv operation\n")}
			}
			return slurm.Answer{Stdout: fmt.Appendln(nil, n)}
		}
		e, dir := setup(t, s)
		a, b := attempt("key-0", dag.Command("true")), attempt("key-1", dag.Command("true"))
		calls := []*call{begin(t, e, a)}
		pass(slurm.DefaultArrayWait / 2)
		calls = append(calls, begin(t, e, b))
		pass(time.Second)
		first, elements, err := submitted(s.last("sbatch"))
		require.NoError(t, err)
		require.Equal(t, 2, elements)
		pass(time.Minute)
		require.Equal(t, 2, s.called("sbatch"))
		second, _, err := submitted(s.last("sbatch"))
		require.NoError(t, err)
		for _, c := range calls {
			c.detach(t)
		}
		// The first comes late, and begins before the second.
		write(t, dir, "claims", "key-0", "daggy-claim 1 job 1_0 0 n1\n")
		s.says("1_0|RUNNING|n1|"+first+"|None", "2_0|COMPLETED|n1|"+second+"|None")
		a.Resumed, a.Ref = true, "2_0"
		c := begin(t, slurm.Unwatched(slurm.New(slurm.Config{Dir: dir, Commands: s.run})), a)
		pass(10 * slurm.DefaultMissing)
		c.goesOn(t)
		require.Equal(t, executor.Status{Running: true, Ref: "1_0", Node: "n1"}, c.status())
		c.detach(t)
	})
}

// A name that is not taken the second time may be that of the first, which comes late.
func TestDeferredAfterUnclear(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		s.sbatch = func(n int) slurm.Answer {
			if n <= 2 {
				words := []string{"Socket timed out on send/recv operation", "Too many jobs"}[n-1]
				return slurm.Answer{Exit: 1, Stderr: []byte(
					"sbatch: error: Batch job submission failed: " + words + "\n")}
			}
			return slurm.Answer{Stdout: fmt.Appendln(nil, n)}
		}
		e, dir := setup(t, s)
		c := begin(t, e, attempt("key-0", dag.Command("true")))
		for s.called("sbatch") < 2 {
			pass(100 * time.Millisecond)
		}
		other := begin(t, e, attempt("key-1", dag.Command("true")))
		pass(10 * time.Second)
		name, elements, err := submitted(s.last("sbatch"))
		require.NoError(t, err)
		require.Equal(t, 2, elements)
		write(t, dir, "claims", "key-0", "daggy-claim 1 job 1 0 n1\n")
		s.says("1|RUNNING|n1|key-0|None", "3_0|COMPLETED|n1|"+name+"|None")
		pass(10 * slurm.DefaultMissing)
		c.goesOn(t)
		c.detach(t)
		require.True(t, other.over())
	})
}

// Of what is submitted again and again the last names are kept.
func TestUnclearForHours(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{sbatch: func(int) slurm.Answer {
			return slurm.Answer{Exit: 1, Stderr: []byte("sbatch: error: something new\n")}
		}}
		e, dir := setup(t, s)
		calls := []*call{
			begin(t, e, attempt("key-0", dag.Command("true"))),
			begin(t, e, attempt("key-1", dag.Command("true"))),
		}
		pass(3 * time.Hour)
		require.Greater(t, s.called("sbatch"), 100)
		info, err := os.Stat(filepath.Join(dir, "own", "jobs", "key-0"))
		require.NoError(t, err)
		require.Less(t, info.Size(), int64(4096))
		batches, err := os.ReadDir(filepath.Join(dir, "own", "batches"))
		require.NoError(t, err)
		require.Less(t, len(batches), 20)
		for _, c := range calls {
			c.detach(t)
		}
	})
}

// A limit on submissions passes; a refusal does not.
func TestDeferredAndRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		s.sbatch = func(n int) slurm.Answer {
			words := "Job violates accounting/QOS policy (job submit limit, user's size and/or" +
				" time limits)"
			if n > 1 {
				words = "Invalid partition name specified"
			}
			return slurm.Answer{Exit: 1, Stderr: []byte(
				"sbatch: error: Batch job submission failed: " + words + "\n")}
		}
		c, _ := one(t, s)
		pass(time.Second)
		require.Contains(t, c.status().Reason, "job submit limit")
		pass(time.Minute)
		require.True(t, c.over())
		require.True(t, executor.IsPermanent(c.err))
		refused, ok := errors.AsType[*slurm.RefusedError](c.err)
		require.True(t, ok)
		require.Contains(t, refused.Words, "Invalid partition name specified")
	})
}

// An array that is too large for a limit of Slurm's, now or for ever, is submitted in
// smaller ones.
func TestArraysThatAreTooLarge(t *testing.T) {
	t.Parallel()
	for _, words := range []string{
		"Invalid job array specification", "Resource temporarily unavailable",
		"Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
	} {
		for _, most := range []int{100, 1} {
			t.Run(fmt.Sprint(most, words), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { tooLarge(t, most, words) })
			})
		}
	}
}

func tooLarge(t *testing.T, most int, words string) {
	t.Helper()
	const n = 200
	s := &script{}
	dir := t.TempDir()
	var taken atomic.Int32
	e := slurm.Unwatched(slurm.New(slurm.Config{
		Dir: dir, Commands: func(
			ctx context.Context, argv []string, in string,
		) (slurm.Answer, error) {
			a, err := s.run(ctx, argv, in)
			if _, elements, _ := submitted(argv); argv[0] == "sbatch" && elements > most {
				return slurm.Answer{Exit: 1, Stderr: []byte(
					"sbatch: error: Batch job submission failed: " + words + "\n")}, nil
			} else if elements > 0 {
				taken.Add(1)
			}
			return a, err
		},
	}))
	calls := make([]*call, n)
	for i := range calls {
		calls[i] = begin(t, e, attempt(fmt.Sprintf("key-%d", i), dag.Command("true")))
	}
	pass(time.Minute) // and no longer, as nothing is in the queue
	require.LessOrEqual(t, s.called("sbatch"), 10+2*n/most)
	batches, err := os.ReadDir(filepath.Join(dir, "own", "batches"))
	require.NoError(t, err)
	require.Len(t, batches, int(taken.Load()), "what is not taken leaves nothing")
	for _, c := range calls {
		c.goesOn(t)
		require.NotEmpty(t, c.status().Ref)
		c.detach(t)
	}
}

// Every member of a job reaches Slurm.
func TestMembersReachSlurm(t *testing.T) {
	t.Parallel()
	d, err := dag.Parse([]byte(`{"tasks": {"one": {"job": {
		"command": ["true"], "minCPUs": "2", "minMemoryMB": "100", "minTmpDiskMB": "10",
		"priority": "7", "timeLimitSeconds": "90", "userID": "` + fmt.Sprint(os.Getuid()) + `",
		"workDir": "/work", "tmpDir": "/tmp", "partition": "p", "account": "a", "qos": "q",
		"constraint": "c", "gres": "gpu:1", "nodes": "2", "tasks": 2, "exclusive": true,
		"extraArgs": ["--mail-type=END"]
	}}}}`))
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		e, _ := setup(t, s)
		require.NoError(t, e.Validate(d.Tasks[0].Job))
		c := begin(t, e, attempt("key", d.Tasks[0].Job))
		pass(time.Second)
		argv := s.last("sbatch")
		for _, want := range []string{
			"--cpus-per-task=2", "--mem=100M", "--tmp=10M", "--priority=7", "--time=3",
			"--uid=" + fmt.Sprint(os.Getuid()), "--chdir=/work", "--partition=p", "--account=a",
			"--qos=q", "--constraint=c", "--gres=gpu:1", "--nodes=2", "--ntasks=2", "--exclusive",
			"--mail-type=END", "--no-requeue", "--job-name=key",
		} {
			require.Contains(t, argv, want)
		}
		c.detach(t)
	})
}

// A minimum of nothing is no minimum, whatever there is otherwise: Slurm would take
// "--mem=0" for all the memory of a node.
func TestMinimumOfNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		e := slurm.Unwatched(slurm.New(slurm.Config{
			Dir: t.TempDir(), Commands: s.run,
			Options: map[string]any{"minMemoryMB": 100, "minCPUs": 2, "minTmpDiskMB": 10},
		}))
		job := dag.Command("true")
		job.Options = map[string]any{"minMemoryMB": 0, "minCPUs": "0", "minTmpDiskMB": 0.0}
		c := begin(t, e, attempt("key", job))
		pass(time.Second)
		for _, arg := range s.last("sbatch") {
			require.NotRegexp(t, "^--(mem|cpus-per-task|tmp)", arg)
		}
		c.detach(t)
	})
}
