// Package logs_test runs the example that lets one choose a log.
package logs_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/integration/servertest"
)

// example builds the program, which is a module of its own.
func example(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../../examples/logs")
	require.NoError(t, err)
	program := filepath.Join(t.TempDir(), "logs")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Dir = dir
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	return program
}

// The same command goes on with a run, in every kind of log.
func TestExample(t *testing.T) { // R8
	t.Parallel()
	program := example(t)
	pg, redis := servertest.StartPostgres(t), servertest.StartRedis(t, servertest.AppendAlways...)
	for name, log := range map[string]string{
		"PostgreSQL": pg.URL(),
		"Redis":      "unix://" + redis.Socket(),
		"SQLite":     "sqlite:" + filepath.Join(t.TempDir(), "log with a name?.db"),
		"files":      filepath.Join(t.TempDir(), "log"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			goesOn(t, program, log)
		})
	}
}

// goesOn runs a DAG, finds the run again without running anything, and is refused
// with another DAG.
func goesOn(t *testing.T, program, log string) {
	t.Helper()
	dir := t.TempDir()
	ran := filepath.Join(dir, "ran")
	file := filepath.Join(dir, "dag.json")
	definition := fmt.Sprintf(`{"tasks": {
		"first": {"job": {"command": ["sh", "-c", "echo ran >>%s"]}},
		"second": {"job": {"command": ["true"]}, "parents": ["first"]}
	}}`, ran)
	require.NoError(t, os.WriteFile(file, []byte(definition), 0o600))
	play := func() (string, string, int) {
		cmd := exec.CommandContext(t.Context(), program, "-log", log, "-run", "nightly", file)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdout, err := cmd.Output()
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok {
			require.NoError(t, err)
		} else {
			require.Equal(t, 1, exit.ExitCode())
		}
		return string(stdout), stderr.String(), cmd.ProcessState.ExitCode()
	}
	for range 2 {
		stdout, stderr, code := play()
		require.Zero(t, code, stderr)
		require.Equal(t, "completed  1  first\ncompleted  1  second\n", stdout)
		text, err := os.ReadFile(ran)
		require.NoError(t, err)
		require.Equal(t, "ran\n", string(text), "it ran again")
	}
	changed := strings.Replace(definition, `"true"`, `"false"`, 1)
	require.NoError(t, os.WriteFile(file, []byte(changed), 0o600))
	stdout, stderr, code := play()
	require.Equal(t, 1, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, `task "second" changed`)
}
