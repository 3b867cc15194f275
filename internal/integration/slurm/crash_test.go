package slurm_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/slurm"
	"github.com/daggy-go/daggy/internal/integration/servertest"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog/filelog"
)

// playEngine names the directory of a run to a process of this binary that is to
// be its engine.
const playEngine = "DAGGY_SLURM_ENGINE"

const runID = "the-run"

// engine goes on with the run in the directory until it is over.
func engine(dir string) error {
	ctx := context.Background()
	b, err := os.ReadFile(filepath.Join(dir, "definition"))
	if err != nil {
		return err
	}
	d, err := dag.Parse(b)
	if err != nil {
		return err
	}
	r, done, err := openRunner(ctx, dir, impatient)
	if err != nil {
		return err
	}
	defer done()
	h, err := r.Ensure(ctx, runID, d)
	if err != nil {
		return err
	}
	_, err = h.Wait(ctx)
	return err
}

func openRunner(
	ctx context.Context, dir string, config func(dir string) slurm.Config,
) (*runner.Runner, func(), error) {
	log, err := filelog.Open(ctx, filepath.Join(dir, "log"), filelog.Config{})
	if err != nil {
		return nil, nil, err
	}
	r := &runner.Runner{
		Executor: slurm.New(config(filepath.Join(dir, "shared"))),
		Log:      log,
		Output:   runner.Output{Dir: filepath.Join(dir, "output")},
		Lost:     lost,
	}
	return r, func() { _ = log.Close() }, nil
}

// startEngine starts an engine as a process of its own.
func (c *counter) startEngine(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(c.Environ(), playEngine+"="+dir)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	return cmd
}

func define(t *testing.T, dir string, d *dag.DAG) {
	t.Helper()
	b, err := d.MarshalJSON()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "definition"), b, 0o600))
}

// An engine that is killed while 50 jobs run: the next one finds all of them.
func TestEngineKilled(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{CPUs: 32}))
	const n = 50
	j := newJournal(t)
	dir := t.TempDir()
	d := j.many(n, "while ! [ -e $1.go ]; do sleep 0.2; done; echo $2")
	define(t, dir, d)
	cmd := cluster.startEngine(t, dir)
	eventually(t, "all run", func() bool { return len(j.lines(t)) == n })
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())

	r, done, err := openRunner(t.Context(), dir, cluster.config)
	require.NoError(t, err)
	defer done()
	h, err := r.Resume(t.Context(), runID)
	require.NoError(t, err)
	eventually(t, "all are found", func() bool {
		return h.Snapshot().Counts[runner.Running] == n
	})
	require.NoError(t, os.WriteFile(string(j)+".go", nil, 0o600))
	report := completed(t, h)
	j.once(t, "many", n)
	require.Equal(t, 1, attempts(t, report, "many_50"))
	require.Equal(t, "many 49\n", output(t, h, "many_50"))
	require.Zero(t, cluster.called("sbatch"), "something was submitted again")
}

// Engines that are killed at any moment, again and again: no task is lost and
// none runs twice.
func TestEnginesKilled(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{CPUs: 32}))
	j := newJournal(t)
	dir := t.TempDir()
	d := &dag.DAG{
		Parameters: dag.Parameters{"N": numbers(12)},
		Tasks:      []dag.Task{{Name: "first", Job: j.job("first", "")}},
	}
	last := "first"
	for i := range 5 {
		name := fmt.Sprintf("level%d", i)
		d.Tasks = append(d.Tasks, dag.Task{
			Name: name, Job: j.job(name+" {{N}}", "sleep 0.1"), Parents: []string{last},
		})
		last = name
	}
	define(t, dir, d)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	kills := 0
	for over := false; !over; {
		cmd := cluster.startEngine(t, dir)
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		timer := time.NewTimer(time.Duration(100+random.IntN(1500)) * time.Millisecond)
		select {
		case err := <-ended:
			require.NoError(t, err)
			over = true
		case <-timer.C:
			require.NoError(t, cmd.Process.Kill())
			require.Error(t, <-ended)
			kills++
		}
		timer.Stop()
	}
	t.Logf("%d engines were killed", kills)
	want := map[string]int{"first": 1}
	for level := range 5 {
		for i := range 12 {
			want[fmt.Sprintf("level%d %d", level, i)] = 1
		}
	}
	require.Equal(t, want, j.lines(t))
}
