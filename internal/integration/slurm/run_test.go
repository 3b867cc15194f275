package slurm_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/slurm"
	"github.com/daggy-go/daggy/internal/integration/servertest"
	"github.com/daggy-go/daggy/runner"
)

// The example of the documentation: parameters, order, a generator, output.
func TestRun(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{}))
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tasks"), []byte(`{"calc": {
		"job": {"command": ["echo", "{{SOURCE}} on {{DATE}}"]}, "children": ["report"]
	}}`), 0o600))
	d, err := dag.Parse([]byte(`{
		"parameters": {"DATE": ["2021-01-01", "2021-02-01", "2021-03-01"], "SOURCE": "sensor"},
		"jobDefaults": {"minCPUs": "1", "minMemoryMB": "100", "minTmpDiskMB": "0",
			"timeLimitSeconds": "60", "environment": ["GREETING=two words"]},
		"tasks": {
			"list": {"isGenerator": true, "children": ["report"],
				"job": {"command": ["cat", "tasks"], "workDir": "` + dir + `"}},
			"report": {"job": {"commandString":
				"sh -c 'echo \"$GREETING\"; echo $SLURM_CPUS_PER_TASK'"}}
		}
	}`))
	require.NoError(t, err)
	r := runner.Runner{Executor: slurm.New(cluster.config(t.TempDir()))}
	h, err := r.Start(t.Context(), d)
	require.NoError(t, err)
	report, err := h.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, runner.RunCompleted, report.State)
	require.Equal(t, "sensor on 2021-02-01\n", output(t, h, "calc_2"))
	require.Equal(t, "two words\n1\n", output(t, h, "report"))
	task, ok := report.Task("calc_3")
	require.True(t, ok)
	require.Contains(t, []string{"n1", "n2"}, task.Result.Node)
	require.Equal(t, 3, cluster.called("sbatch"), "the instances of calc are an array")
}

// Speed: instances of one task take few commands, and little longer than an
// array by hand.
func TestThousandInstances(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{}))
	const n = 1000
	j := newJournal(t)
	c := cluster.config(t.TempDir())
	c.Interval, c.ArrayWait = time.Second, 0 // the default
	start := time.Now()
	r := runner.Runner{Executor: slurm.New(c)}
	report, err := r.Run(t.Context(), j.many(n, ""))
	took := time.Since(start)
	require.NoError(t, err)
	require.Equal(t, n, report.Counts[runner.Completed])
	j.once(t, "many", n)
	listings := cluster.called("squeue")
	t.Logf("%d instances: %v, %d sbatch, %d squeue", n, took, cluster.called("sbatch"), listings)
	require.LessOrEqual(t, cluster.called("sbatch"), 5)
	require.LessOrEqual(t, listings, int(took/c.Interval)+1)
}
