package slurm_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/integration/servertest"
)

// program builds a program of the examples.
func program(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./examples/"+name)
	cmd.Dir = "../../.."
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

func (c *counter) play(t *testing.T, path string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append(c.Environ(), "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

func TestExamples(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{}))
	out := cluster.play(t, program(t, "slurm"), "-dir", t.TempDir(), "-partition", "debug")
	require.Contains(t, out, "pi is about 3.1")
	require.Contains(t, out, "by 8 jobs")

	run := program(t, "run")
	dates := "../../../examples/run/testdata/dates.json"
	out = cluster.play(t, run, "-executor", "slurm", "-report", "json", "-progress", "off", dates)
	for _, want := range []string{
		`"state":"completed"`, `sensor on 2021-01-01\n`, `sensor on 2021-02-01\n`,
		`sensor on 2021-03-01\n`,
	} {
		require.Contains(t, out, want)
	}
	// With a log, the same command finds what there is.
	dir := t.TempDir()
	for range 2 {
		out = cluster.play(t, run, "-executor", "slurm", "-shared", filepath.Join(dir, "shared"),
			"-log", filepath.Join(dir, "log"), "-run", "nightly", "-progress", "off", dates)
		require.Contains(t, out, "run nightly completed: 5 completed")
	}
}
