package slurm_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/executortest"
	"github.com/daggy-go/daggy/executor/slurm"
	"github.com/daggy-go/daggy/internal/integration/servertest"
	"github.com/daggy-go/daggy/runner"
)

func TestMain(m *testing.M) {
	executortest.Main() // this binary plays the jobs
	if dir := os.Getenv(playEngine); dir != "" {
		if err := engine(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// A counter counts the commands that an executor runs on a cluster.
type counter struct {
	*servertest.Slurm
	mu    sync.Mutex
	calls map[string]int
	most  atomic.Int32 // sbatch at the same time
	now   atomic.Int32
}

func count(s *servertest.Slurm) *counter { return &counter{Slurm: s, calls: map[string]int{}} }

func (c *counter) run(ctx context.Context, argv []string, stdin string) (slurm.Answer, error) {
	c.mu.Lock()
	c.calls[argv[0]]++
	c.mu.Unlock()
	if argv[0] == "sbatch" {
		n := c.now.Add(1)
		for most := c.most.Load(); n > most && !c.most.CompareAndSwap(most, n); {
			most = c.most.Load()
		}
		defer c.now.Add(-1)
	}
	stdout, stderr, exit, err := c.Run(ctx, stdin, argv[0], argv[1:]...)
	return slurm.Answer{Stdout: stdout, Stderr: stderr, Exit: exit}, err
}

func (c *counter) called(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[name]
}

// impatient is for a cluster that is asked often and given up soon, by the commands
// in PATH.
func impatient(dir string) slurm.Config {
	return slurm.Config{
		Dir:       dir,
		Interval:  200 * time.Millisecond,
		Missing:   2 * time.Second,
		ArrayWait: 20 * time.Millisecond,
	}
}

// config is impatient's for this cluster.
func (c *counter) config(dir string) slurm.Config {
	config := impatient(dir)
	config.Commands = c.run
	return config
}

func output(t *testing.T, h *runner.Handle, name string) string {
	t.Helper()
	r, err := h.Output(t.Context(), name, runner.OutputQuery{})
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return string(b)
}

// patience is how long anything may take, and only matters if that never comes.
const patience = 2 * time.Minute

// lost has tasks of lost jobs tried again soon.
var lost = runner.Backoff{Min: 50 * time.Millisecond, Max: time.Second}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, 20*time.Millisecond, what)
}

// start starts a run that is waited for with the test.
func start(t *testing.T, e *slurm.Executor, d *dag.DAG) *runner.Handle {
	t.Helper()
	r := &runner.Runner{Executor: e, Lost: lost}
	h, err := r.Start(t.Context(), d)
	require.NoError(t, err)
	return h
}

func completed(t *testing.T, h *runner.Handle) *runner.Report {
	t.Helper()
	report, err := h.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, runner.RunCompleted, report.State)
	return report
}

func (c *counter) empty(t *testing.T) bool {
	t.Helper()
	return c.must(t, "squeue", "--noheader", "--array") == ""
}

// must runs one of Slurm's commands and returns what it says.
func (c *counter) must(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := c.Output(t.Context(), name, args...)
	require.NoError(t, err)
	return strings.TrimSpace(out)
}

// says waits until one of the texts is in why an instance waits.
func says(t *testing.T, h *runner.Handle, name string, texts ...string) {
	t.Helper()
	eventually(t, "Why says "+strings.Join(texts, " or "), func() bool {
		why, err := h.Why(name)
		return err == nil && len(why) > 0 && slices.ContainsFunc(texts, func(text string) bool {
			return strings.Contains(why[0].Text, text)
		})
	})
}

// attempts returns how often an instance was tried.
func attempts(t *testing.T, r *runner.Report, name string) int {
	t.Helper()
	task, ok := r.Task(name)
	require.True(t, ok)
	return task.Attempts
}
