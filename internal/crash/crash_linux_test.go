package crash_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/expand"
	"github.com/daggy-go/daggy/internal/helperproc"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/filelog"
)

// patience is for machines that stand still, not for engines that do.
const patience = 2 * time.Minute

// A site is where the engines of one run live and die.
type site struct {
	t     *testing.T
	dir   string
	how   string
	rng   *rand.Rand
	kills int
	said  string // what the last engine printed
}

// newSite makes a directory that stays if the test fails.
func newSite(t *testing.T, how string, rng *rand.Rand) *site {
	t.Helper()
	dir, err := os.MkdirTemp("", "daggy-crash-") //nolint:usetesting // it may have to stay
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "side"), 0o700))
	t.Cleanup(func() {
		require.NoError(t, quiet(dir))
		if t.Failed() {
			t.Logf("what is left is in %s", dir)
			return
		}
		require.NoError(t, os.RemoveAll(dir))
	})
	return &site{t: t, dir: dir, how: how, rng: rng}
}

// random is what a test draws from.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with -args -seed=%d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}

// engine starts an engine. It ends by itself at the point, or is killed after
// some time if that is not negative. The result is its exit code, or -1 if it was
// killed.
func (s *site) engine(at string, kill time.Duration) int {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	argv := helperproc.Command("engine", s.dir, s.how, at)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGQUIT) } // say where it hangs
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, cmd.Start())
	_, _ = io.ReadFull(stdout, make([]byte, len(up))) // or it has ended
	if kill >= 0 {
		defer time.AfterFunc(kill, func() { _ = cmd.Process.Kill() }).Stop()
	}
	said, readErr := io.ReadAll(stdout)
	s.said = string(said)
	err = cmd.Wait()
	require.NoError(s.t, readErr)
	code := cmd.ProcessState.ExitCode()
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case code == -1 && status.Signal() == syscall.SIGKILL:
		s.kills++
	case code != exitCompleted && code != exitFailed && code != exitDetached:
		require.NoError(s.t, err, "an engine ended with %d: %s", code, stderr.String())
	}
	return code
}

// mend has what failed so far succeed.
func (s *site) mend() {
	s.t.Helper()
	require.NoError(s.t, os.WriteFile(filepath.Join(s.dir, "mended"), nil, 0o600))
}

// successes returns the attempts that the log has as successes, by instance.
func (s *site) successes() map[string]int {
	s.t.Helper()
	log, err := filelog.Open(s.t.Context(), filepath.Join(s.dir, "log"), filelog.Config{})
	require.NoError(s.t, err)
	defer func() { require.NoError(s.t, log.Close()) }()
	names := instances(s.t, s.dir)
	done := map[string]int{}
	for rec, err := range log.Read(s.t.Context(), runID, 0) {
		require.NoError(s.t, err)
		if rec.Kind == statelog.Done && rec.Class == statelog.Success && rec.Attempt > 0 {
			name := names(rec.Task, rec.Instance)
			require.NotContains(s.t, done, name, "two successes are recorded")
			done[name] = rec.Attempt
		}
	}
	return done
}

// empty checks that nothing is left running.
func (s *site) empty() {
	s.t.Helper()
	require.NoError(s.t, quiet(s.dir))
	pids, err := left(s.dir)
	require.NoError(s.t, err)
	require.Empty(s.t, pids, "processes are left")
}

// instances returns the names of what records number: the workflow's tasks, then
// those that its generator makes.
func instances(t *testing.T, dir string) func(task, instance int) string {
	t.Helper()
	var names []string
	for _, task := range workflow(dir).Tasks {
		names = append(names, task.Name)
	}
	for i := range 6 {
		names = append(names, madeName(i))
	}
	return func(task, instance int) string {
		switch names[task] {
		case "step", "idle": // which are multiplied
			return expand.InstanceName(names[task], instance)
		}
		return names[task]
	}
}
