package slurm_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/slurm"
)

// A script has answers of Slurm's commands, as they were recorded. No job ever
// runs: what jobs do is done by the test, to the files.
type script struct {
	mu    sync.Mutex
	calls [][]string
	// queue is the answer of squeue, without the mark that begins each line.
	queue slurm.Answer
	// sacct is the answer of sacct. Nil: there is no accounting.
	sacct []byte
	// sbatch answers submissions, counted from 1. Nil: the number.
	sbatch func(n int) slurm.Answer
}

func (s *script) run(_ context.Context, argv []string, in string) (slurm.Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, argv)
	switch argv[0] {
	case "squeue":
		return s.queue, nil
	case "sbatch":
		if !strings.HasPrefix(in, "#!/bin/bash\n") {
			return slurm.Answer{}, errors.New("no script")
		}
		n := s.count("sbatch")
		if s.sbatch != nil {
			return s.sbatch(n), nil
		}
		return slurm.Answer{Stdout: fmt.Appendln(nil, n)}, nil
	case "scancel":
		return slurm.Answer{}, nil
	case "scontrol":
		config := "MaxArraySize = 501\nTaskPlugin = task/affinity\n"
		if s.sacct != nil {
			config += "AccountingStorageType = accounting_storage/slurmdbd\n"
		}
		return slurm.Answer{Stdout: []byte(config)}, nil
	case "sacct":
		if s.sacct != nil {
			return slurm.Answer{Stdout: s.sacct}, nil
		}
	}
	return slurm.Answer{Exit: 1, Stderr: []byte("Slurm accounting storage is disabled")}, nil
}

// count counts calls, with mu held.
func (s *script) count(name string) int {
	n := 0
	for _, argv := range s.calls {
		if argv[0] == name {
			n++
		}
	}
	return n
}

func (s *script) called(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count(name)
}

// submission returns the arguments of the last sbatch.
func (s *script) submission() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, argv := range slices.Backward(s.calls) {
		if argv[0] == "sbatch" {
			return argv
		}
	}
	return nil
}

// says has squeue answer with these jobs from now on.
func (s *script) says(lines ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = slurm.Answer{}
	for _, line := range lines {
		s.queue.Stdout = append(s.queue.Stdout, "daggy|"+line+"\n"...)
	}
}

// A call is a call of Run in the bubble.
type call struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
	res    executor.Result
	err    error
	status executor.Status // the last
}

func (c *call) over() bool {
	synctest.Wait()
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// goesOn fails the test if Run has returned.
func (c *call) goesOn(t *testing.T) {
	t.Helper()
	if c.over() {
		require.FailNow(t, "it is over", "%v, %v", c.res, c.err)
	}
}

// pass lets virtual time pass, and what happens in it happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func attempt(key string, job dag.Job) *executor.Attempt {
	return &executor.Attempt{
		Run: "run", Task: "task", Instance: "task", Number: 1, Key: key, Job: job,
		Stdout: io.Discard, Stderr: io.Discard,
	}
}

func begin(t *testing.T, e *slurm.Executor, a *executor.Attempt) *call {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	c := &call{cancel: cancel, done: make(chan struct{})}
	a.OnReport = func(s executor.Status) { c.status = s }
	go func() {
		defer close(c.done)
		c.res, c.err = e.Run(ctx, a)
	}()
	return c
}

// setup returns an executor with the defaults, for virtual time.
func setup(t *testing.T, s *script) (*slurm.Executor, string) {
	t.Helper()
	dir := t.TempDir()
	return slurm.Unwatched(slurm.New(slurm.Config{Dir: dir, Commands: s.run})), dir
}

// write makes a file that a job would make.
func write(t *testing.T, dir, kind, key, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "own", kind, key), []byte(text), 0o600))
}

const claimOf1 = "daggy-claim 1 job 1 0 n1\n"

func reportOf1(key string, code int, how string) string {
	line := fmt.Sprintf("daggy-exit 1 %s 1 0 %d %s 0 1700000000 1700000001 n1\n", key, code, how)
	return line + line
}

// While Slurm does not answer nothing is decided, for as long as that takes, and
// it is asked less and less.
func TestSilenceMeansNothing(t *testing.T) {
	t.Parallel()
	for name, claimed := range map[string]bool{"pending": false, "running": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{}
				s.says("1|PENDING||Priority|key")
				e, dir := setup(t, s)
				c := begin(t, e, attempt("key", dag.Command("true")))
				pass(time.Minute)
				require.Equal(t, "its Slurm job 1 is PENDING: Priority", c.status.Reason)
				if claimed {
					write(t, dir, "claims", "key", claimOf1)
				}
				s.mu.Lock()
				s.queue = slurm.Answer{Exit: 1, Stderr: []byte(
					"slurm_load_jobs error: Unable to contact slurm controller")}
				s.calls = nil
				s.mu.Unlock()
				pass(24 * time.Hour)
				c.goesOn(t)
				asked := s.called("squeue")
				require.InDelta(t, 24*time.Hour/(10*slurm.DefaultInterval), asked, 10)
				// Files count all the same.
				write(t, dir, "exits", "key", reportOf1("key", 0, "-"))
				pass(time.Minute)
				require.True(t, c.over())
				require.NoError(t, c.err)
				require.True(t, c.res.OK())
			})
		})
	}
}

// Neither a word that is not known nor a listing that cannot be read is an end.
func TestUnknownMeansNothing(t *testing.T) {
	t.Parallel()
	for _, queue := range []string{
		"1|DANCING|n1|None|key", "1|OUT_OF_ME+|n1|None|key", "1|COMPL",
		"x|RUNNING|n1|None|key", "1|REVOKED|||key",
	} {
		t.Run(queue, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{}
				s.says(queue)
				e, dir := setup(t, s)
				c := begin(t, e, attempt("key", dag.Command("true")))
				pass(time.Hour)
				c.goesOn(t)
				write(t, dir, "claims", "key", claimOf1)
				pass(time.Hour)
				c.goesOn(t)
				c.cancel(executor.ErrDetach)
				require.True(t, c.over())
			})
		})
	}
}

// A job that is missing from good listings is lost, not before the time, and its
// key never starts.
func TestMissing(t *testing.T) {
	t.Parallel()
	for name, claimed := range map[string]bool{"pending": false, "running": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{}
				s.says("1|RUNNING|n1|None|key")
				e, dir := setup(t, s)
				c := begin(t, e, attempt("key", dag.Command("true")))
				if claimed {
					pass(time.Second)
					write(t, dir, "claims", "key", claimOf1)
				}
				pass(time.Minute)
				s.says("7|RUNNING|n1|None|another", "1|RUNNING|n1|None|and-the-id-again")
				pass(slurm.DefaultMissing - 2*time.Second)
				c.goesOn(t)
				pass(2*slurm.DefaultInterval + 2*time.Second)
				require.True(t, c.over())
				_, lost := errors.AsType[*executor.LostError](c.err)
				require.True(t, lost, "%v", c.err)
				claim, err := os.ReadFile(filepath.Join(dir, "own", "claims", "key"))
				require.NoError(t, err)
				if !claimed {
					require.Contains(t, string(claim), "engine")
				}
				require.Equal(t, 1, s.called("sbatch"))
			})
		})
	}
}

// What became of jobs that were purged before anybody saw it, accounting knows: one
// question for all of them.
func TestAccounting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		words := map[string]string{
			"TIMEOUT": "failure (time limit)", "OUT_OF_MEMORY": "failure (out of memory)",
			"CANCELLED by 0": "failed", "NODE_FAIL": "lost", "RUNNING": "lost", "": "lost",
		}
		s := &script{sacct: []byte{}}
		e, dir := setup(t, s)
		calls := map[string]*call{}
		for word := range words {
			key := fmt.Sprintf("key-%d", len(calls))
			a := attempt(key, dag.Command("true"))
			a.Task = key
			calls[word] = begin(t, e, a)
			pass(time.Second)
			claim := fmt.Sprintf("daggy-claim 1 job %d 0 n1\n", len(calls))
			write(t, dir, "claims", key, claim)
			if word != "" {
				s.mu.Lock()
				s.sacct = fmt.Appendf(s.sacct, "%d|%s|%s\n", len(calls), word, key)
				s.sacct = fmt.Appendf(s.sacct, "%d.batch|%s|batch\n", len(calls), word)
				s.mu.Unlock()
			}
		}
		pass(2 * time.Minute)
		for word, want := range words {
			c := calls[word]
			require.True(t, c.over(), word)
			got := c.res.String()
			if c.err != nil {
				got = "failed"
				if _, lost := errors.AsType[*executor.LostError](c.err); lost {
					got = "lost"
				}
			}
			require.Equal(t, want, got, word)
		}
		require.LessOrEqual(t, s.called("sacct"), 3)
	})
}

// An engine that finds its jobs, and has nothing to submit, asks what the cluster
// can do all the same: what has become of them depends on it.
func TestClusterIsKnownAfterRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{sacct: []byte("1|TIMEOUT|key\n")}
		s.says("1|RUNNING|n1|None|key")
		e, dir := setup(t, s)
		job := dag.Command("true")
		job.Resources = dag.Resources{dag.Cores: 1}
		c := begin(t, e, attempt("key", job))
		pass(time.Second)
		write(t, dir, "claims", "key", claimOf1)
		pass(time.Minute)
		c.cancel(executor.ErrDetach)
		require.True(t, c.over())

		e = slurm.Unwatched(slurm.New(slurm.Config{Dir: dir, Commands: s.run}))
		a := attempt("key", job)
		a.Resumed, a.Ref = true, "1"
		c = begin(t, e, a)
		pass(time.Minute)
		c.goesOn(t)
		s.says()
		pass(2 * time.Minute)
		require.True(t, c.over())
		require.NoError(t, c.err)
		require.Equal(t, "failure (time limit)", c.res.String())
		require.Empty(t, c.res.Unenforced, "it holds jobs to their cores")
		require.Equal(t, 2, s.called("scontrol"), "once for each engine")
		require.Equal(t, 1, s.called("sbatch"))
	})
}

// What the last state says of a job without a report.
func TestEndsWithoutReport(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]string{
		"COMPLETED": "lost", "FAILED": "lost", "NODE_FAIL": "lost", "PREEMPTED": "lost",
		"BOOT_FAIL": "lost", "TIMEOUT": "failure (time limit)", "DEADLINE": "failure (time limit)",
		"OUT_OF_MEMORY": "failure (out of memory)", "CANCELLED": "failed",
	} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{}
				s.says("1|RUNNING|n1|None|key")
				e, dir := setup(t, s)
				c := begin(t, e, attempt("key", dag.Command("true")))
				pass(time.Second)
				write(t, dir, "claims", "key", claimOf1)
				pass(time.Minute)
				c.goesOn(t)
				require.True(t, c.status.Running)
				require.Equal(t, "n1", c.status.Node)
				s.says("1|" + state + "|n1|None|key")
				pass(2 * time.Minute)
				require.True(t, c.over())
				got := c.res.String()
				if c.err != nil {
					got = "failed"
					if _, lost := errors.AsType[*executor.LostError](c.err); lost {
						got = "lost"
					}
				}
				require.Equal(t, want, got)
			})
		})
	}
}

// Who ended an attempt that was asked to stop decides what that is.
func TestStoppedByOthers(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]string{
		"PREEMPTED": "lost", "NODE_FAIL": "lost", "PENDING": "lost",
		"CANCELLED": "failure (SIGTERM)", "TIMEOUT": "failure (time limit)",
	} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{}
				s.says("1|RUNNING|n1|None|key")
				e, dir := setup(t, s)
				c := begin(t, e, attempt("key", dag.Command("true")))
				pass(time.Second)
				write(t, dir, "claims", "key", claimOf1)
				write(t, dir, "exits", "key", reportOf1("key", 143, "stop"))
				s.says("1|COMPLETING|n1|None|key")
				pass(time.Minute)
				c.goesOn(t)
				s.says("1|" + state + "|n1|BeginTime|key")
				pass(time.Minute)
				require.True(t, c.over())
				got := c.res.String()
				if _, lost := errors.AsType[*executor.LostError](c.err); lost {
					got = "lost"
				}
				require.Equal(t, want, got)
			})
		})
	}
}

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
		require.Contains(t, calls[2].status.Reason, "MaxQueued")
		write(t, dir, "exits", "key-0", reportOf1("key-0", 0, "-"))
		pass(2 * slurm.DefaultInterval)
		require.True(t, calls[0].over())
		require.Equal(t, 3, s.called("sbatch"))
		for _, c := range calls[1:] {
			c.cancel(executor.ErrDetach)
			require.True(t, c.over())
		}
	})
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
		e, _ := setup(t, s)
		c := begin(t, e, attempt("key", dag.Command("true")))
		pass(time.Second)
		require.Contains(t, c.status.Reason, "not known")
		require.Equal(t, 1, s.called("sbatch"))
		pass(2 * time.Minute)
		require.Equal(t, 4, s.called("sbatch"))
		require.Equal(t, "44", c.status.Ref)
		c.cancel(executor.ErrDetach)
		require.True(t, c.over())
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
		e, _ := setup(t, s)
		c := begin(t, e, attempt("key", dag.Command("true")))
		pass(time.Second)
		require.Contains(t, c.status.Reason, "job submit limit")
		pass(time.Minute)
		require.True(t, c.over())
		require.True(t, executor.IsPermanent(c.err))
		refused, ok := errors.AsType[*slurm.RefusedError](c.err)
		require.True(t, ok)
		require.Contains(t, refused.Words, "Invalid partition name specified")
	})
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
		argv := s.submission()
		for _, want := range []string{
			"--cpus-per-task=2", "--mem=100M", "--tmp=10M", "--priority=7", "--time=3",
			"--uid=" + fmt.Sprint(os.Getuid()), "--chdir=/work", "--partition=p", "--account=a",
			"--qos=q", "--constraint=c", "--gres=gpu:1", "--nodes=2", "--ntasks=2", "--exclusive",
			"--mail-type=END", "--no-requeue", "--job-name=key",
		} {
			require.Contains(t, argv, want)
		}
		c.cancel(executor.ErrDetach)
		require.True(t, c.over())
	})
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		job  dag.Job
		want string
	}{
		"option":   {dag.Job{Options: map[string]any{"partitoin": "x"}}, "did you mean partition"},
		"number":   {dag.Job{Options: map[string]any{"minCPUs": "two"}}, "minCPUs"},
		"fraction": {dag.Job{Options: map[string]any{"minCPUs": 1.5}}, "not a whole number"},
		"resource": {dag.Job{Resources: dag.Resources{"tapes": 1}}, "tapes"},
		"array":    {dag.Job{Options: map[string]any{"extraArgs": []any{"--array=1"}}}, "--array"},
		"short":    {dag.Job{Options: map[string]any{"extraArgs": []any{"--arr=1-9"}}}, "--arr"},
		"script":   {dag.Job{Options: map[string]any{"extraArgs": []any{"script.sh"}}}, "form"},
		"line":     {dag.Job{Options: map[string]any{"partition": "a\nb"}}, "control character"},
		"entry":    {dag.Job{Environment: []string{"x"}}, "KEY=value"},
		"tmpDir":   {dag.Job{Options: map[string]any{"tmpDir": "relative"}}, "not absolute"},
		"file":     {dag.Job{Options: map[string]any{"tmpDir": "/dev/null"}}, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, _ := setup(t, &script{})
			tc.job.Command = []string{"true"}
			require.ErrorContains(t, e.Validate(tc.job), tc.want)
		})
	}
	e := slurm.New(slurm.Config{Commands: (&script{}).run})
	require.ErrorContains(t, e.Validate(dag.Command("true")), "Config.Dir is empty")
	e = slurm.New(slurm.Config{Commands: (&script{}).run, Dir: "relative"})
	require.ErrorContains(t, e.Validate(dag.Command("true")), "not absolute")
	e = slurm.New(slurm.Config{Commands: (&script{}).run, Dir: "/dev/null/x"})
	require.ErrorContains(t, e.Validate(dag.Command("true")), "shared directory")
}

// A machine without Slurm is told so before anything starts.
func TestNoSlurm(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := slurm.New(slurm.Config{Dir: t.TempDir()}).Validate(dag.Command("true"))
	require.ErrorContains(t, err, "there is no sbatch, squeue, scancel, scontrol in PATH=")
}
