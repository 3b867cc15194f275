package slurm_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/slurm"
	"github.com/daggy-go/daggy/internal/integration/servertest"
)

const nobody = 65534

// asNobody runs squeue as somebody to whom Slurm does not show everything.
func (c *counter) asNobody(
	ctx context.Context, argv []string, in string,
) (slurm.Answer, error) {
	if argv[0] != "squeue" {
		return c.run(ctx, argv, in)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env, cmd.Dir = c.Environ(), "/"
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: nobody, Gid: nobody},
	}
	err := cmd.Run()
	if _, ran := errors.AsType[*exec.ExitError](err); ran && ctx.Err() == nil {
		err = nil
	}
	return slurm.Answer{
		Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), Exit: cmd.ProcessState.ExitCode(),
	}, err
}

// Jobs in a partition that is hidden are in the queue all the same, and elements of an
// array fewer than there may be of other jobs.
func TestHiddenPartition(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{Settings: map[string]string{
		"PartitionName":       "hidden Nodes=ALL Hidden=YES",
		"SchedulerParameters": "batch_sched_delay=0,sched_min_interval=0,max_array_tasks=3",
	}}))
	require.NoError(t, os.Chmod(filepath.Join(cluster.Dir(), "slurm.conf"), 0o644))
	// t.TempDir is closed to others.
	dir, err := os.MkdirTemp("", "daggy-slurm-") //nolint:usetesting // see above
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o711))
	c := cluster.config(filepath.Join(dir, "shared"))
	c.Commands = cluster.asNobody
	c.Options = map[string]any{"userID": nobody, "partition": "hidden"}
	d := &dag.DAG{
		Parameters: dag.Parameters{"N": numbers(7)},
		// Longer than a job may be missing.
		Tasks: []dag.Task{{Name: "many", Job: dag.Command("sh", "-c", "sleep 5; id -u", "{{N}}")}},
	}
	d.JobDefaults.WorkDir = "/"
	h := start(t, slurm.New(c), d)
	report := completed(t, h)
	require.Equal(t, 1, attempts(t, report, "many_1"))
	require.Equal(t, "65534\n", output(t, h, "many_7"))
	require.Equal(t, 3, cluster.called("sbatch"), "of 3, 3 and 1")
}
