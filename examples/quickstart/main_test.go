package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/daggy-go/daggy/runner"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tree writes files and returns their directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	return dir
}

// The figures are those that one counts by hand.
func TestRun(t *testing.T) {
	t.Parallel()
	src := tree(t, map[string]string{
		"a/a.go":          "package a\n\nfunc A() {}\nfunc (T) B() {}\nfunc c() {}\n",
		"a/a_test.go":     "package a\n\nfunc TestA() {}\n",
		"a/deep/deep.go":  "package deep\n",
		"b/b.go":          "package b\nfunc b() {}\n",
		"b/testdata/x.go": "not looked at\n",
		"b/README.md":     "nor this\n",
		"cmd/c/c.go":      "nor this\n",
	})
	var out, progress bytes.Buffer
	require.NoError(t, run(t.Context(), src, &out, &progress))
	rows := map[string][]string{}
	for line := range strings.Lines(out.String()) {
		if words := strings.Fields(line); len(words) > 1 {
			rows[words[0]] = words[1:]
		}
	}
	// packages, files, lines of code and tests, functions, exported ones
	require.Equal(t, []string{"2", "3", "6", "3", "4", "3"}, rows["a"][:6])
	require.Equal(t, []string{"1", "1", "2", "0", "1", "0"}, rows["b"][:6])
	require.Equal(t, []string{"3", "4", "8", "3", "5", "3"}, rows["all"][:6])
	require.NotEqual(t, "0", rows["all"][6], "weighed nothing")
	require.NotContains(t, rows, "cmd")
	require.Contains(t, out.String(), "generated 12 more")
	require.Contains(t, progress.String(), "14")
	for _, stage := range stages {
		require.Contains(t, out.String(), stage.branch+stage.name)
	}
}

// The documented command on the real tree, from nothing to a finished run.
func TestGoRun(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "run", ".")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	for _, want := range []string{"runtime", "net", "others", "The slowest tasks", "├─ pack"} {
		require.Contains(t, string(stdout), want)
	}
	require.Contains(t, stderr.String(), "completed")
}

func TestNoPackages(t *testing.T) {
	t.Parallel()
	var out, progress bytes.Buffer
	err := run(t.Context(), t.TempDir(), &out, &progress)
	var failed *runner.TaskError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, "list", failed.Task)
	require.Empty(t, out.String())
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, progress bytes.Buffer
	err := run(ctx, tree(t, map[string]string{"a/a.go": "package a\n"}), &out, &progress)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, out.String())
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		require.Equal(t, want, thousands(n))
	}
}
