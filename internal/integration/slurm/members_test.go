package slurm_test

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
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

// What a job asks for is what Slurm has of it, also of an array.
func TestMembers(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{
		Settings: map[string]string{"PriorityType": "priority/basic"},
	}))
	dir := t.TempDir()
	d, err := dag.Parse(fmt.Appendf(nil, `{"parameters": {"N": ["a", "b"]},
		"tasks": {"one": {"job": {"command": ["sh", "-c", "pwd; sleep 600", "{{N}}"],
			"minCPUs": "2", "minMemoryMB": "321",
		"minTmpDiskMB": 0, "priority": "4321", "timeLimitSeconds": "3600", "workDir": %q,
		"partition": "debug", "nodes": "1", "extraArgs": ["--comment=hello world; $HOME"]
	}}}}`, dir))
	require.NoError(t, err)
	h := start(t, slurm.New(cluster.config(t.TempDir())), d)
	var out string
	eventually(t, "both run", func() bool {
		out, err = cluster.Output(t.Context(), "scontrol", "--oneliner", "show", "job")
		return err == nil && strings.Count(out, "JobState=RUNNING") == 2
	})
	for _, want := range []string{
		"NumCPUs=2", "MinMemoryNode=321M", "Priority=4321", "WorkDir=" + dir, "Requeue=0",
		"Comment=hello world; $HOME", "TimeLimit=01:02:00", "ArrayTaskId=1",
	} {
		require.Contains(t, out, want)
	}
	eventually(t, "the output is there while it runs", func() bool {
		return output(t, h, "one_2") == dir+"\n"
	})
	require.NoError(t, h.Stop(t.Context()))
	eventually(t, "nothing is left", func() bool { return cluster.empty(t) })
}

// A job of another user, who can write to what is theirs and to nothing else.
func TestUserID(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{}))
	// t.TempDir is closed to others.
	dir, err := os.MkdirTemp("", "daggy-slurm-") //nolint:usetesting // see above
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o711))
	shared := filepath.Join(dir, "shared")
	job := dag.Command("sh", "-c",
		`id -u; echo "$HOME $USER $LOGNAME"; ls "$1"/own 2>&1`, "sh", shared)
	job.Options = map[string]any{"userID": "65534"}
	job.WorkDir = "/"
	e := slurm.New(cluster.config(shared))
	h := start(t, e, &dag.DAG{Tasks: []dag.Task{{Name: "one", Job: job, MaxRetries: 0}}})
	_, err = h.Wait(t.Context())
	require.Error(t, err) // ls failed
	text := output(t, h, "one")
	who, err := user.LookupId(fmt.Sprint(nobody))
	require.NoError(t, err)
	say := fmt.Sprintf("%d\n%s %[3]s %[3]s\n", nobody, who.HomeDir, who.Username)
	require.Contains(t, text, say)
	require.Contains(t, text, "Permission denied")
	info, err := os.Stat(filepath.Join(shared, "user-65534"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
}

// Output that cannot be read here: the result counts, a generator fails.
func TestOutputElsewhere(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{}))
	// The node has it, this machine does not see it any more.
	job := func() dag.Job {
		job := dag.Command("sh", "-c", `rm "$1/$DAGGY_KEY.stdout"; echo '{}'`, "sh", "TMP")
		dir := t.TempDir()
		job.Command[4] = dir
		job.Options = map[string]any{"tmpDir": dir}
		return job
	}
	e := slurm.New(cluster.config(t.TempDir()))
	h := start(t, e, &dag.DAG{Tasks: []dag.Task{
		{Name: "plain", Job: job()}, {Name: "list", Job: job(), Generator: true},
	}})
	report, err := h.Wait(t.Context())
	require.ErrorContains(t, err, "output that cannot be read here: it is in ")
	plain, _ := report.Task("plain")
	require.Equal(t, runner.Completed, plain.State)
	require.Contains(t, plain.Result.Message, ".stdout on n1")
	list, _ := report.Task("list")
	require.Equal(t, runner.Failed, list.State)
}

// A directory that the nodes do not have.
func TestNoWorkDir(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{}))
	job := dag.Command("true")
	job.WorkDir = "/no/such/directory"
	h := start(t, slurm.New(cluster.config(t.TempDir())),
		&dag.DAG{Tasks: []dag.Task{{Name: "one", Job: job}}})
	_, err := h.Wait(t.Context())
	require.ErrorContains(t, err, "cannot enter its working directory /no/such/directory on n1")
}

// What somebody cancels while it waits has failed, and is not submitted again.
func TestCancelledByOthers(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{}))
	job := dag.Command("true")
	job.Options = map[string]any{"extraArgs": []string{"--begin=now+1hour"}}
	h := start(t, slurm.New(cluster.config(t.TempDir())),
		&dag.DAG{Tasks: []dag.Task{{Name: "one", Job: job}}})
	eventually(t, "it is in the queue", func() bool { return !cluster.empty(t) })
	_, err := cluster.Output(t.Context(), "scancel", "--user=root")
	require.NoError(t, err)
	report, err := h.Wait(t.Context())
	require.ErrorContains(t, err, "CANCELLED")
	require.Equal(t, 1, attempts(t, report, "one"))
	require.Equal(t, 1, cluster.called("sbatch"))
}

// A slurmd that dies does not take its jobs with it: they end, and are seen.
func TestDaemonDies(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{Nodes: 1}))
	j := newJournal(t)
	h := start(t, slurm.New(cluster.config(t.TempDir())), &dag.DAG{Tasks: []dag.Task{
		{Name: "one", Job: j.job("one", "while ! [ -e $1.go ]; do sleep 0.1; done")},
	}})
	eventually(t, "it runs", func() bool { return len(j.lines(t)) == 1 })
	cluster.KillDaemon(t, 0)
	require.NoError(t, os.WriteFile(string(j)+".go", nil, 0o600))
	completed(t, h)
	require.Equal(t, map[string]int{"one": 1}, j.lines(t))
}

// Slurm kills what uses more memory than it may, where control groups are.
func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/sys/fs/cgroup/memory/memory.limit_in_bytes"); err != nil {
		t.Skip("this machine has no memory groups of version 1, which Slurm's package wants")
	}
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{Nodes: 1, Cgroups: true}))
	const hog = `a=x; while :; do a=$a$a; done`
	limited := func(words ...string) dag.Job {
		job := dag.Command(words...)
		job.Resources = dag.Resources{dag.MemoryMB: 50}
		return job
	}
	h := start(t, slurm.New(cluster.config(t.TempDir())), &dag.DAG{Tasks: []dag.Task{
		{Name: "hog", Job: limited("sh", "-c", hog)},
		{Name: "brave", Job: limited("sh", "-c", `sh -c "$1"; exit 0`, "sh", hog)},
		{Name: "modest", Job: limited("true")},
	}})
	report, err := h.Wait(t.Context())
	require.Error(t, err)
	for name, want := range map[string]string{
		"hog": "failure (out of memory)", "brave": "failure (out of memory)", "modest": "success",
	} {
		task, _ := report.Task(name)
		require.Equal(t, want, task.Result.String(), name)
		require.Empty(t, task.Result.Unenforced, name)
	}
}

// What became of a job that was purged without a report, accounting knows.
func TestAccounting(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{
		Accounting: true, Settings: map[string]string{"MinJobAge": "2"},
	}))
	j := newJournal(t)
	dir := t.TempDir()
	c := cluster.config(dir)
	var deaf atomic.Bool
	c.Commands = func(ctx context.Context, argv []string, in string) (slurm.Answer, error) {
		if deaf.Load() && argv[0] == "squeue" {
			return slurm.Answer{Exit: 1}, nil
		}
		return cluster.run(ctx, argv, in)
	}
	// Its script cannot report: the file that it would write is a directory.
	job := j.job("one", `mkdir "$3/own/tmp/$DAGGY_KEY.$SLURM_JOB_ID.0.exit" && : >"$1.spoiled"
		exec sleep 600`)
	job.Command = append(job.Command, dir)
	h := start(t, slurm.New(c), &dag.DAG{Tasks: []dag.Task{{Name: "one", Job: job}}})
	eventually(t, "it runs and cannot report", func() bool {
		_, err := os.Stat(string(j) + ".spoiled")
		return err == nil
	})
	deaf.Store(true)
	_, err := cluster.Output(t.Context(), "scancel", "--user=root")
	require.NoError(t, err)
	eventually(t, "it is purged", func() bool {
		out, err := cluster.Output(t.Context(), "squeue", "--noheader", "--states=all")
		return err == nil && strings.TrimSpace(out) == ""
	})
	deaf.Store(false)
	report, err := h.Wait(t.Context())
	require.ErrorContains(t, err, "(CANCELLED")
	require.Equal(t, 1, attempts(t, report, "one"))
	require.Positive(t, cluster.called("sacct"))
}

// A minute without a controller, in which everything is asked for.
func TestMinuteDown(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{}))
	j := newJournal(t)
	h := start(t, slurm.New(cluster.config(t.TempDir())), &dag.DAG{
		Parameters: dag.Parameters{"N": numbers(20)},
		Tasks: []dag.Task{
			{Name: "first", Job: j.job("first {{N}}", "sleep 20")},
			{Name: "second", Job: j.job("second {{N}}", ""), Parents: []string{"first"}},
		},
	})
	eventually(t, "all run", func() bool { return len(j.lines(t)) == 20 })
	// What it has not saved it forgets, and would hand out the IDs again while the
	// daemons still end jobs by these.
	running := time.Now()
	eventually(t, "its state is saved", func() bool {
		state, err := os.Stat(filepath.Join(cluster.Dir(), "state", "job_state"))
		return err == nil && state.ModTime().After(running)
	})
	cluster.KillController(t)
	timer := time.NewTimer(time.Minute)
	defer timer.Stop()
	<-timer.C
	cluster.StartController(t)
	// A slurmd that could not say for long that its jobs have ended drains its node,
	// until somebody has had a look.
	eventually(t, "all of it runs", func() bool {
		for _, node := range []string{"n1", "n2"} {
			out, err := cluster.Output(t.Context(), "sinfo", "--noheader", "--nodes="+node,
				"--format=%T")
			if err == nil && (strings.HasPrefix(out, "drain") || strings.HasPrefix(out, "down")) {
				_, _ = cluster.Output(t.Context(), "scontrol", "update", "NodeName="+node,
					"State=RESUME")
			}
		}
		return h.Snapshot().State != runner.RunRunning
	})
	completed(t, h)
	want := map[string]int{}
	for i := range 20 {
		want[fmt.Sprintf("first %d", i)], want[fmt.Sprintf("second %d", i)] = 1, 1
	}
	require.Equal(t, want, j.lines(t))
}
