package slurm_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/slurm"
	"github.com/daggy-go/daggy/internal/integration/servertest"
	"github.com/daggy-go/daggy/runner"
)

// A controller that is paused while jobs are submitted: sbatch gives up after ten
// seconds, and its jobs run when the controller goes on.
func TestPausedController(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{
		Settings: map[string]string{"MessageTimeout": "10"},
	}))
	j := newJournal(t)
	cluster.PauseController(t)
	h := start(t, slurm.New(cluster.config(t.TempDir())), j.many(5, ""))
	says(t, h, "many_1", "not known")
	cluster.ContinueController(t)
	report := completed(t, h)
	require.Equal(t, 1, attempts(t, report, "many_1"))
	j.once(t, "many", 5)
}

// A controller that is killed straight after it has taken jobs forgets them, and
// hands out their IDs again.
func TestForgetfulController(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{
		Settings: map[string]string{"SchedulerParameters": "batch_sched_delay=3,sched_interval=3"},
	}))
	j := newJournal(t)
	c := cluster.config(t.TempDir())
	answered := make(chan struct{})
	c.Commands = func(ctx context.Context, argv []string, in string) (slurm.Answer, error) {
		a, err := cluster.run(ctx, argv, in)
		if argv[0] == "sbatch" && cluster.called("sbatch") == 1 {
			cluster.KillController(t)
			close(answered)
		}
		return a, err
	}
	h := start(t, slurm.New(c), j.many(10, "sleep 0.1"))
	<-answered
	cluster.StartController(t)
	// Somebody else's jobs get the IDs.
	for range 3 {
		cluster.must(t, "sbatch", "--output=/dev/null", "--wrap=sleep 1")
	}
	report := completed(t, h)
	j.once(t, "many", 10)
	t.Logf("%d attempts at the first", attempts(t, report, "many_1"))
}

// What runs goes on while the controller is down, what ends is seen, and what is
// submitted waits.
func TestControllerDown(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{}))
	j := newJournal(t)
	d := j.many(5, "while ! [ -e $1.go ]; do sleep 0.1; done")
	d.Tasks = append(d.Tasks, dag.Task{
		Name: "after", Job: j.job("after 0", ""), Parents: []string{"many"},
	})
	h := start(t, slurm.New(cluster.config(t.TempDir())), d)
	eventually(t, "all run", func() bool { return len(j.lines(t)) == 5 })
	cluster.StopController(t)
	require.NoError(t, os.WriteFile(string(j)+".go", nil, 0o600))
	eventually(t, "what ended is seen", func() bool {
		return h.Snapshot().Counts[runner.Completed] == 5
	})
	says(t, h, "after", "contact", "connect")
	cluster.StartController(t)
	completed(t, h)
	for name, n := range j.lines(t) {
		require.Equal(t, 1, n, name)
	}
}

// twice starts a task that ends if it is started again, and returns when it runs.
func twice(t *testing.T, cluster *counter, j journal) *runner.Handle {
	t.Helper()
	h := start(t, slurm.New(cluster.config(t.TempDir())), &dag.DAG{Tasks: []dag.Task{
		{Name: "one", Job: j.job("one", "[ $(grep -c . $1) -gt 1 ] || exec sleep 600")},
	}})
	eventually(t, "it runs", func() bool { return len(j.lines(t)) > 0 })
	return h
}

// A node that dies takes its jobs with it: they are lost, and run on another.
func TestNodeDies(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{
		Settings: map[string]string{"SlurmdTimeout": "10"},
	}))
	j := newJournal(t)
	h := twice(t, cluster, j)
	cluster.KillNode(t, 0)
	report := completed(t, h)
	require.Equal(t, 2, j.lines(t)["one"])
	require.Equal(t, 2, attempts(t, report, "one"))
	task, _ := report.Task("one")
	require.Equal(t, "n2", task.Result.Node)
}

// A job that an administrator requeues is lost, and what Slurm would start again
// does nothing.
func TestRequeue(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{}))
	j := newJournal(t)
	h := twice(t, cluster, j)
	id := cluster.must(t, "squeue", "--noheader", "--format=%i")
	// By itself Slurm refuses to: the job was submitted with --no-requeue.
	_, err := cluster.Output(t.Context(), "scontrol", "requeue", id)
	require.Error(t, err)
	cluster.must(t, "scontrol", "update", "JobId="+id, "Requeue=1")
	cluster.must(t, "scontrol", "requeue", id)
	report := completed(t, h)
	require.Equal(t, 2, j.lines(t)["one"])
	require.Equal(t, 2, attempts(t, report, "one"))
	eventually(t, "the requeued job is cancelled", func() bool { return cluster.empty(t) })
}

// A job that an administrator suspends goes on when it is resumed.
func TestSuspended(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{}))
	j := newJournal(t)
	h := start(t, slurm.New(cluster.config(t.TempDir())), j.many(1, "sleep 3"))
	eventually(t, "it runs", func() bool { return len(j.lines(t)) == 1 })
	id := cluster.must(t, "squeue", "--noheader", "--format=%i")
	cluster.must(t, "scontrol", "suspend", id)
	says(t, h, "many_1", "SUSPENDED")
	cluster.must(t, "scontrol", "resume", id)
	report := completed(t, h)
	require.Equal(t, 1, attempts(t, report, "many_1"))
	j.once(t, "many", 1)
}

// A job that has ended and is purged before anybody asked.
func TestPurged(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{
		Settings: map[string]string{"MinJobAge": "15"},
	}))
	j := newJournal(t)
	c := cluster.config(t.TempDir())
	var deaf atomic.Bool
	var answered atomic.Int32
	c.Commands = func(ctx context.Context, argv []string, in string) (slurm.Answer, error) {
		if argv[0] != "squeue" {
			return cluster.run(ctx, argv, in)
		}
		if deaf.Load() {
			return slurm.Answer{Exit: 1, Stderr: []byte("slurm_load_jobs error: no answer")}, nil
		}
		a, err := cluster.run(ctx, argv, in)
		answered.Add(1)
		return a, err
	}
	h := start(t, slurm.New(c), &dag.DAG{Tasks: []dag.Task{
		{Name: "cancelled", Job: j.job("cancelled", "sleep 600")},
		{Name: "good", Job: j.job("good", "while ! [ -e $1.go ]; do sleep 0.1; done")},
	}})
	eventually(t, "both run", func() bool { return len(j.lines(t)) == 2 })
	deaf.Store(true)
	require.NoError(t, os.WriteFile(string(j)+".go", nil, 0o600))
	eventually(t, "it is purged", func() bool {
		out, err := cluster.Output(t.Context(), "squeue", "--noheader", "--states=all")
		return err == nil && len(strings.Fields(out)) < 16
	})
	// What is cancelled is purged soon: it has to be listed before.
	listed := answered.Load()
	deaf.Store(false)
	eventually(t, "the queue is listed", func() bool { return answered.Load() > listed })
	_, err := cluster.Output(t.Context(), "scancel", "--user=root")
	require.NoError(t, err)
	report, err := h.Wait(t.Context())
	require.ErrorContains(t, err, "CANCELLED")
	require.Equal(t, 1, report.Counts[runner.Completed])
	require.Equal(t, map[string]int{"cancelled": 1, "good": 1}, j.lines(t))
}

// Answers of sbatch that never arrive, though its jobs do, some of them late.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{}))
	j := newJournal(t)
	c := cluster.config(t.TempDir())
	var calls atomic.Int32
	late := make(chan struct{})
	arrived := make(chan error, 1)
	c.Commands = func(ctx context.Context, argv []string, in string) (slurm.Answer, error) {
		if argv[0] != "sbatch" {
			return cluster.run(ctx, argv, in)
		}
		lost := slurm.Answer{Exit: 1, Stderr: []byte(
			"sbatch: error: Batch job submission failed: Socket timed out on send/recv operation")}
		switch calls.Add(1) {
		case 1:
			_, err := cluster.run(ctx, argv, in)
			return lost, err
		case 2:
			go func() {
				<-late
				_, err := cluster.run(context.Background(), argv, in)
				arrived <- err
			}()
			return lost, nil
		}
		return cluster.run(ctx, argv, in)
	}
	d := j.many(4, "")
	d.Tasks = append(d.Tasks, dag.Task{
		Name: "late", Job: j.job("late 0", ""), Parents: []string{"many"},
	})
	h := start(t, slurm.New(c), d)
	completed(t, h)
	close(late)
	require.NoError(t, <-arrived)
	eventually(t, "the late job ends", func() bool { return cluster.empty(t) })
	require.Equal(t, map[string]int{
		"many 0": 1, "many 1": 1, "many 2": 1, "many 3": 1, "late 0": 1,
	}, j.lines(t))
	require.EqualValues(t, 3, calls.Load())
}

// What a run that is stopped had in the queue, pending, running or held, is out
// of it.
func TestCancel(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{CPUs: 4}))
	j := newJournal(t)
	d := j.many(40, "exec sleep 600")
	d.Tasks = append(d.Tasks, dag.Task{Name: "never", Job: dag.Job{
		Command: []string{"true"},
		Options: map[string]any{"minCPUs": 4, "priority": 1, "tasks": "2"},
	}})
	ctx, cancel := context.WithCancel(t.Context())
	r := runner.Runner{Executor: slurm.New(cluster.config(t.TempDir()))}
	h, err := r.Start(ctx, d)
	require.NoError(t, err)
	eventually(t, "some run", func() bool { return len(j.lines(t)) == 8 })
	why, err := h.Why("many_40")
	require.NoError(t, err)
	require.Contains(t, why[0].Text, "PENDING")
	cancel()
	report, err := h.Wait(t.Context())
	require.Error(t, err)
	require.Equal(t, runner.RunInterrupted, report.State)
	require.Empty(t, cluster.must(t, "squeue", "--noheader", "--states=PENDING"))
	// Slurm needs a moment to notice that a script has ended.
	eventually(t, "nothing is left", func() bool { return cluster.empty(t) })
	require.Len(t, j.lines(t), 8)
	require.LessOrEqual(t, cluster.called("scancel"), 6)
}

// What Slurm refuses fails at once, with Slurm's words, and is not retried.
func TestRefused(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{}))
	for name, tc := range map[string]struct {
		options map[string]any
		words   string
	}{
		"partition": {map[string]any{"partition": "no-such"}, "invalid partition"},
		"memory":    {map[string]any{"minMemoryMB": "999999"}, "Memory specification"},
		"option":    {map[string]any{"extraArgs": []any{"--no-such"}}, "unrecognized option"},
		"gres":      {map[string]any{"gres": "gpu:1"}, "Invalid generic resource"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := slurm.New(cluster.config(t.TempDir()))
			job := dag.Command("true")
			job.Options = tc.options
			h := start(t, e, &dag.DAG{Tasks: []dag.Task{{Name: "one", Job: job, MaxRetries: 3}}})
			report, err := h.Wait(t.Context())
			refused, ok := errors.AsType[*slurm.RefusedError](err)
			if ok {
				require.Contains(t, refused.Words, tc.words)
			}
			require.ErrorContains(t, err, tc.words)
			require.Equal(t, 1, attempts(t, report, "one"))
		})
	}
}

// Who looks at why a job waits is told what Slurm says of it.
func TestHeld(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{}))
	e := slurm.New(cluster.config(t.TempDir()))
	job := dag.Command("true")
	job.Options = map[string]any{"extraArgs": []string{"--begin=now+1hour"}}
	h := start(t, e, &dag.DAG{Tasks: []dag.Task{{Name: "one", Job: job}}})
	says(t, h, "one", "PENDING: BeginTime")
	id := cluster.must(t, "squeue", "--noheader", "--format=%i")
	cluster.must(t, "scontrol", "hold", id)
	says(t, h, "one", "JobHeldAdmin; scontrol release "+id)
	cluster.must(t, "scontrol", "update", "JobId="+id, "StartTime=now")
	cluster.must(t, "scontrol", "release", id)
	completed(t, h)
}

// The script of the job keeps the time limit, which is Slurm's in whole minutes.
func TestTimeLimit(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{}))
	job := dag.Command("sleep", "600")
	job.TimeLimit = 300 * time.Millisecond
	h := start(t, slurm.New(cluster.config(t.TempDir())),
		&dag.DAG{Tasks: []dag.Task{{Name: "one", Job: job}}})
	report, err := h.Wait(t.Context())
	require.Error(t, err)
	task, _ := report.Task("one")
	require.Equal(t, "failure (time limit)", task.Result.String())
}
