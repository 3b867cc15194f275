package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	part := ""
	if len(os.Args) > 1 {
		part = os.Args[1]
	}
	if os.Getenv(playMain) != "" || part == "engine" || part == "task" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// playMain has a process of the test binary be the program.
const playMain = "DAGGY_EXAMPLE_PLAYS_MAIN"

// A newcomer sees that nothing ran twice, and nothing stays.
func TestDemonstration(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), playMain+"=1", "TMPDIR="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	require.Empty(t, stderr.String())
	text := string(out)
	fates := map[string]string{}
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 3 && strings.ContainsRune(line, '█') {
			fates[words[0]] = strings.Join(words[len(words)-2:], " ")
		}
	}
	require.Len(t, fates, 9)
	for _, name := range []string{"fetch", "clean_1", "clean_2", "clean_3", "merge"} {
		require.Equal(t, "run again", fates[name], text) // "not run again"
	}
	if runtime.NumCPU() > 1 { // else it had to wait
		require.Equal(t, "found running", fates["train"], text)
	}
	require.Equal(t, "engine 2", fates["report"], text)
	require.Contains(t, text, "9 tasks, each of which began once and ended once.")
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Empty(t, left)
}
