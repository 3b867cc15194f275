package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	part := ""
	if len(os.Args) > 1 {
		part = os.Args[1]
	}
	if os.Getenv(playMain) != "" || part == "daemon" || part == "task" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// playMain has a process of the test binary be the program.
const playMain = "PLAY_EXAMPLE_REMOTE"

// A newcomer sees which node ran what and what was moved, and nothing stays.
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
	require.Regexp(t, `north, process \d+, was killed with SIGKILL`, text)
	ran := 0
	moves := 0
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) < 3:
		case words[0] == "south" || words[0] == "west":
			ran += len(words) - 2
		case strings.HasPrefix(line, "north (killed)"):
			ran += len(words) - 3
		case words[1] == "north" && (words[2] == "south" || words[2] == "west"):
			moves++
		}
	}
	require.Equal(t, 18, ran, text)
	require.Positive(t, moves, text)
	require.Contains(t, text, "no two copies ran at once")
	require.Eventually(t, func() bool {
		left, err := filepath.Glob(filepath.Join(dir, "*"))
		return err == nil && len(left) == 0
	}, time.Minute, 10*time.Millisecond)
}

func TestUsage(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, run(t.Context(), []string{"what?"}), "usage")
	require.Error(t, task(t.TempDir(), "a", "soon"))
	require.Error(t, daemon(t.Context(), t.TempDir(), "n", "no such file"))
}
