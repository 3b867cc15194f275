package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/helperproc"
	"github.com/daggy-go/daggy/statelog/filelog"
)

// logDir is a directory for a log, in which nothing lives when the test is over.
func logDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "log")
	t.Cleanup(func() { require.NoError(t, helperproc.AwaitSupervisor(dir+"-processes")) })
	return dir
}

// counting is the job of a task that adds a line to a file every time it runs.
func counting(t *testing.T, file string) string {
	t.Helper()
	return fmt.Sprintf(`{"command": ["sh", "-c", "echo ran >>%s; echo out"]}`, file)
}

func countLines(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return strings.Count(string(text), "\n")
}

// The same command goes on with a run whose program was killed.
func TestSameCommandGoesOn(t *testing.T) { // L4, E5
	t.Parallel()
	listener, dir := listen(t), logDir(t)
	ran := filepath.Join(t.TempDir(), "ran")
	definition := fmt.Sprintf(`{"tasks": {
		"first": {"job": %s},
		"long": {"job": %s, "parents": ["first"]},
		"last": {"job": %[1]s, "parents": ["long"]}
	}}`, counting(t, ran), holdJSON(t, listener))
	flags := []string{"-log", dir, "-run", "nightly", "-report", "json", "-progress", "off"}
	cmd, _ := process(t, definition, flags...)
	conn, err := listener.Accept() // the task runs
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Kill())
	require.Equal(t, -1, wait(t, cmd))

	cmd, o := process(t, definition, flags...)
	require.NoError(t, conn.Close()) // which ends the task that the first one started
	require.Zero(t, wait(t, cmd), o.stderr)
	r := report(t, o.stdout)
	require.Equal(t, "nightly", r.Run)
	require.Equal(t, "completed", r.State)
	for name, stdout := range map[string]string{"first": "out\n", "long": "", "last": "out\n"} {
		require.Equal(t, "completed", r.Tasks[name].State, name)
		require.Equal(t, 1, r.Tasks[name].Attempts, name)
		require.Equal(t, stdout, r.Tasks[name].Stdout, name)
	}
	require.Equal(t, 2, countLines(t, ran))

	// It is over now: the same report, and nothing runs.
	again := play(t, definition, flags...)
	require.Equal(t, exitCompleted, again.code, again.stderr)
	require.Equal(t, o.stdout, again.stdout)
	require.Equal(t, 2, countLines(t, ran))
	none(t, listener)

	changed := play(t, strings.Replace(definition, `"parents": ["long"]`, `"maxRetries": 1`, 1),
		flags...)
	require.Equal(t, exitBad, changed.code)
	require.Empty(t, changed.stdout)
	require.Contains(t, changed.stderr, `task "last" changed`)
}

// none checks that no task has come.
func none(t *testing.T, listener net.Listener) {
	t.Helper()
	require.NoError(t, listener.(*net.TCPListener).SetDeadline(time.Now()))
	_, err := listener.Accept()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

// An interrupt leaves a run that the same command goes on with.
func TestInterruptedRunGoesOn(t *testing.T) { // R5
	t.Parallel()
	listener, dir := listen(t), logDir(t)
	definition := fmt.Sprintf(`{"tasks": {
		"long": {"job": %s, "children": ["last"]},
		"last": {"job": {"command": ["echo"]}}
	}}`, holdJSON(t, listener))
	cmd, o := process(t, definition, "-log", dir, "-progress", "off")
	conn, err := listener.Accept()
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	_, err = bufio.NewReader(conn).ReadString('\n') // it is asked to stop
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	require.Equal(t, exitNotCompleted, wait(t, cmd))
	id, ok := runID(o.stderr)
	require.True(t, ok, "no ID: %s", o.stderr)
	require.Contains(t, o.stderr, "run: the same command with -run "+id+" goes on with it\n")

	cmd, o = process(t, definition, "-log", dir, "-run", id, "-progress", "off")
	require.Zero(t, wait(t, cmd), o.stderr)
	require.Contains(t, o.stdout, "run "+id+" completed: 2 completed")
	require.Empty(t, o.stderr)
	none(t, listener) // it had succeeded, if late
}

// runID finds the ID of a new run on the standard error.
func runID(stderr string) (string, bool) {
	for line := range strings.Lines(stderr) {
		if id, ok := strings.CutPrefix(line, "run: this is run "); ok {
			return strings.TrimSpace(id), true
		}
	}
	return "", false
}

// A run that failed fails again without doing anything, and with -retry what did
// not complete runs again.
func TestRetry(t *testing.T) { // R8
	t.Parallel()
	dir, files := logDir(t), t.TempDir()
	ran, mended := filepath.Join(files, "ran"), filepath.Join(files, "mended")
	definition := fmt.Sprintf(`{"tasks": {
		"good": {"job": %s},
		"bad": {"job": {"command": ["test", "-e", %q]}, "children": ["last"]},
		"last": {"job": %[1]s}
	}}`, counting(t, ran), mended)
	flags := []string{"-log", dir, "-run", "nightly"}
	failed := play(t, definition, flags...)
	require.Equal(t, exitNotCompleted, failed.code)
	require.Contains(t, failed.stderr, `task "bad", attempt 1`)
	require.Contains(t, failed.stderr, "the same command and -retry runs again")
	require.NoError(t, os.WriteFile(mended, nil, 0o600))

	same := play(t, definition, flags...)
	require.Equal(t, exitNotCompleted, same.code)
	require.Equal(t, failed, same)
	require.Equal(t, 1, countLines(t, ran))

	again := play(t, definition, append(flags, "-retry")...)
	require.Equal(t, exitCompleted, again.code, again.stderr)
	require.Contains(t, again.stdout, "run nightly completed: 3 completed")
	require.Equal(t, 2, countLines(t, ran), "good ran again")

	over := play(t, definition, append(flags, "-retry")...)
	require.Equal(t, exitCompleted, over.code, over.stderr)
	require.Equal(t, again.stdout, over.stdout)

	unknown := play(t, definition, "-log", dir, "-run", "nightli", "-retry")
	require.Equal(t, exitBad, unknown.code)
	require.Contains(t, unknown.stderr, `did you mean "nightly"?`)
}

// One program at a time has the log.
func TestLogIsOpenElsewhere(t *testing.T) { // L6
	t.Parallel()
	dir := logDir(t)
	log, err := filelog.Open(t.Context(), dir, filelog.Config{})
	require.NoError(t, err)
	o := playFile(t, nil, "-log", dir, "testdata/reference.json")
	require.Equal(t, exitBad, o.code)
	require.Empty(t, o.stdout)
	require.Contains(t, o.stderr, "open already")
	require.NoError(t, log.Close())
}
