package slurm_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/slurm"
	"github.com/daggy-go/daggy/executor/slurm/internal/evidence"
)

// While Slurm does not answer nothing is decided, for as long as that takes, and
// it is asked less and less.
func TestSilenceMeansNothing(t *testing.T) {
	t.Parallel()
	for name, claimed := range map[string]bool{"pending": false, "running": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{}
				s.says("1|PENDING||key|Priority")
				c, dir := one(t, s)
				pass(time.Minute)
				require.Equal(t, "its Slurm job 1 is PENDING: Priority", c.status().Reason)
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
		"1|DANCING|n1|key|None", "1|OUT_OF_ME+|n1|key|None", "1|COMPL",
		"x|RUNNING|n1|key|None", "1|REVOKED||key|",
	} {
		t.Run(queue, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{}
				s.says(queue)
				c, dir := one(t, s)
				pass(time.Hour)
				c.goesOn(t)
				write(t, dir, "claims", "key", claimOf1)
				pass(time.Hour)
				c.goesOn(t)
				c.detach(t)
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
				s.says("1|RUNNING|n1|key|None")
				c, dir := one(t, s)
				if claimed {
					pass(time.Second)
					write(t, dir, "claims", "key", claimOf1)
				}
				pass(time.Minute)
				s.says("7|RUNNING|n1|another|None", "1|RUNNING|n1|and-the-id-again|None")
				pass(slurm.DefaultMissing - 2*time.Second)
				c.goesOn(t)
				pass(2*slurm.DefaultInterval + 2*time.Second)
				require.True(t, c.over())
				require.True(t, lost(c.err), "%v", c.err)
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
			require.Equal(t, want, c.word(), word)
		}
		require.LessOrEqual(t, s.called("sacct"), 3)
	})
}

// A job that is found missing while accounting is asked about another is asked about
// next.
func TestMissingWhileAccountingIsAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{sacct: []byte("1|TIMEOUT|first\n")}
		dir := t.TempDir()
		asking := make(chan struct{})
		e := slurm.Unwatched(slurm.New(slurm.Config{
			Dir: dir, Commands: func(
				ctx context.Context, argv []string, in string,
			) (slurm.Answer, error) {
				a, err := s.run(ctx, argv, in)
				if argv[0] == "sacct" && s.called("sacct") == 1 {
					close(asking)
					<-time.After(time.Second)
				}
				return a, err
			},
		}))
		first := begin(t, e, attempt("first", dag.Command("true")))
		pass(time.Second)
		second := begin(t, e, attempt("second", dag.Command("true")))
		pass(time.Second)
		second.tellToo(func(status executor.Status) {
			if strings.Contains(status.Reason, "SUSPENDED") {
				<-asking
			}
		})
		for i, key := range []string{"first", "second"} {
			write(t, dir, "claims", key, fmt.Sprintf("daggy-claim 1 job %d 0 n1\n", i+1))
		}
		s.says("1|RUNNING|n1|first|None", "2|SUSPENDED|n1|second|None")
		pass(time.Minute)
		s.says()
		<-asking
		s.mu.Lock()
		s.sacct = []byte("2|TIMEOUT|second\n")
		s.mu.Unlock()
		pass(time.Minute)
		for _, c := range []*call{first, second} {
			require.True(t, c.over())
			require.Equal(t, "failure (time limit)", c.word())
		}
		require.Equal(t, 2, s.called("sacct"))
	})
}

// An engine that finds its jobs, and has nothing to submit, asks what the cluster
// can do all the same: what has become of them depends on it.
func TestClusterIsKnownAfterRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{sacct: []byte("1|TIMEOUT|key\n")}
		s.says("1|RUNNING|n1|key|None")
		e, dir := setup(t, s)
		job := dag.Command("true")
		job.Resources = dag.Resources{dag.Cores: 1}
		c := begin(t, e, attempt("key", job))
		pass(time.Second)
		write(t, dir, "claims", "key", claimOf1)
		pass(time.Minute)
		c.detach(t)

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

// What ended while there was no engine is reported with what the cluster holds jobs
// to, or at once without if the cluster does not say.
func TestEndedWithoutEngine(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{"asked": nil, "silent": {dag.Cores}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{}
				e, dir := setup(t, s)
				a := attempt("key", dag.Command("true"))
				a.Job.Resources = dag.Resources{dag.Cores: 1}
				c := begin(t, e, a)
				pass(time.Second)
				c.detach(t)
				write(t, dir, "claims", "key", claimOf1)
				write(t, dir, "exits", "key", reportOf1("key", 0, "-"))

				s.silent = name == "silent"
				a.Resumed, a.Ref = true, "1"
				e = slurm.Unwatched(slurm.New(slurm.Config{Dir: dir, Commands: s.run}))
				c = begin(t, e, a)
				pass(time.Second)
				require.True(t, c.over())
				require.NoError(t, c.err)
				require.True(t, c.res.OK())
				require.ElementsMatch(t, want, c.res.Unenforced)
			})
		})
	}
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
				c, _ := underway(t, s)
				pass(time.Minute)
				c.goesOn(t)
				require.True(t, c.status().Running)
				require.Equal(t, "n1", c.status().Node)
				s.says("1|" + state + "|n1|key|None")
				pass(2 * time.Minute)
				require.True(t, c.over())
				require.Equal(t, want, c.word())
			})
		})
	}
}

// A job that ends and has not begun has not found its files, which is said.
func TestNodeWithoutDirectory(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"COMPLETED", "FAILED"} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{}
			s.says("1|" + state + "|n7|key|None")
			c, dir := one(t, s)
			pass(time.Minute)
			require.True(t, c.over())
			require.True(t, lost(c.err))
			require.ErrorContains(t, c.err, "did not begin on n7: is "+dir)
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
		for _, how := range []evidence.How{evidence.Stopped, evidence.Itself} {
			t.Run(state+" "+string(how), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { stoppedByOthers(t, how, state, want) })
			})
		}
	}
}

// stoppedByOthers has a job report that SIGTERM ended its command, and the queue
// say of what state it is.
func stoppedByOthers(t *testing.T, how evidence.How, state, want string) {
	t.Helper()
	s := &script{}
	c, dir := underway(t, s)
	write(t, dir, "exits", "key", reportOf1("key", 143, string(how)))
	s.says("1|COMPLETING|n1|key|None")
	pass(time.Minute)
	c.goesOn(t)
	s.says("1|" + state + "|n1|key|BeginTime")
	pass(time.Minute)
	require.True(t, c.over())
	require.Equal(t, want, c.word())
}

// What is to be cancelled is, though nobody waits for it: the last call of Run may have
// returned by then.
func TestCancelledInTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		c, _ := underway(t, s)
		pass(time.Minute)
		s.says("1|PENDING||key|BeginTime")
		pass(time.Minute)
		require.True(t, c.over())
		require.True(t, lost(c.err))
		require.Equal(t, []string{"scancel", "--quiet", "1"}, s.last("scancel"))
	})
}

// The ID of a job that has gone may be that of another, which is left alone.
func TestAnotherHasTheID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		c, _ := underway(t, s)
		pass(time.Minute)
		s.says("1|RUNNING|n1|another|None")
		pass(slurm.DefaultInterval)
		c.cancel(context.Canceled)
		pass(10 * slurm.DefaultMissing)
		require.True(t, c.over())
		require.Equal(t, "failure (SIGKILL)", c.word())
		require.Zero(t, s.called("scancel"))
	})
}

// An attempt whose job may run is not over because its files cannot be read: it would
// be started again.
func TestUnreadableMeansNothing(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"own", "own/claims/key", "own/jobs/key", "own/exits/key"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { unreadable(t, what) })
		})
	}
}

// unreadable has an engine go on with a job while a directory, or a file, is something
// else, and then itself again.
func unreadable(t *testing.T, what string) {
	t.Helper()
	s := &script{}
	s.says("1|RUNNING|n1|key|None")
	e, dir := setup(t, s)
	a := attempt("key", dag.Command("true"))
	c := begin(t, e, a)
	pass(time.Second)
	write(t, dir, "claims", "key", claimOf1)
	write(t, dir, "exits", "key", reportOf1("key", 0, "-"))
	c.detach(t)

	path := filepath.Join(dir, what)
	require.NoError(t, os.Rename(path, path+".away"))
	if what == "own" {
		require.NoError(t, os.WriteFile(path, nil, 0o600))
	} else {
		require.NoError(t, os.Mkdir(path, 0o700))
	}
	a.Resumed, a.Ref = true, "1"
	c = begin(t, slurm.Unwatched(slurm.New(slurm.Config{Dir: dir, Commands: s.run})), a)
	pass(time.Minute)
	c.goesOn(t)
	require.Contains(t, c.status().Reason, "the shared directory")
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Rename(path+".away", path))
	pass(time.Minute)
	require.True(t, c.over())
	require.NoError(t, c.err)
	require.Equal(t, 1, s.called("sbatch"))
}
