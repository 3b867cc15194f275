//go:build linux

package fork_test

import (
	"context"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Without control groups: a command that ignores SIGTERM and has left a process in a
// session of its own, which holds its output, cannot hang Run, and is ended, or named.
func TestStopFindsEscaped(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		how  string
		left bool
	}{
		"marked":                       {"wts", false},
		"marked, without its output":   {"wtso", false},
		"unmarked, holding the output": {"wtsc", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for way, e := range watchesOf(t, unlimited) {
				t.Run(way, func(t *testing.T) {
					t.Parallel()
					l := launch(t, e, helper("spawn", c.how, "trap"))
					escaped := escapedPID(t, l)
					require.Equal(t, "ready", l.line())
					l.cancel(context.Canceled)
					r, err := l.wait()
					require.NoError(t, err)
					require.Equal(t, "SIGKILL", r.Signal)
					if !c.left {
						requireKilled(t, escaped)
						return
					}
					requireNamed(t, r.Left, escaped)
				})
			}
		})
	}
}

// So it is after a normal exit, if the output is held.
func TestExitFindsEscaped(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		how  string
		left bool
	}{
		"marked":   {"s", false},
		"unmarked": {"sc", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for way, e := range watchesOf(t, unlimited) {
				t.Run(way, func(t *testing.T) {
					t.Parallel()
					r, stdout, _ := run(t, e, helper("spawn", c.how, "trap"))
					require.True(t, r.OK())
					lines := strings.Fields(stdout)
					escaped := lines[len(lines)-1]
					if !c.left {
						requireKilled(t, escaped)
						return
					}
					requireNamed(t, r.Left, escaped)
				})
			}
		})
	}
}

// Attempts that are stopped at the same time share the search and do not take
// what belongs to others for their own.
func TestStopOfManyKillsOnlyItsOwn(t *testing.T) {
	t.Parallel()
	e := unlimited(t)
	spared := launch(t, e, helper("spawn", "wts", "trap"))
	survivor := escapedPID(t, spared)
	require.Equal(t, "ready", spared.line())
	var stopped []*running
	var escaped []string
	for range 8 {
		l := launch(t, e, helper("spawn", "wts", "trap"))
		escaped = append(escaped, escapedPID(t, l))
		require.Equal(t, "ready", l.line())
		stopped = append(stopped, l)
	}
	for _, l := range stopped {
		l.cancel(context.Canceled)
	}
	for i, l := range stopped {
		r, err := l.wait()
		require.NoError(t, err)
		require.False(t, r.OK())
		requireKilled(t, escaped[i])
	}
	require.NotContains(t, "\x00ZX", string(state(t, survivor)))
	require.NotContains(t, "\x00ZX", string(state(t, <-spared.pid)))
}

// escapedPID reads what a spawning command prints: perhaps the "ready" of what
// it spawned, and then its process ID.
func escapedPID(t *testing.T, l *running) string {
	t.Helper()
	line := l.line()
	if line == "ready" {
		line = l.line()
	}
	return line
}

// requireKilled waits for the end of a process that was killed. Run has done so
// already, unless the machine is so busy that it had to name it instead.
func requireKilled(t *testing.T, pid string) {
	t.Helper()
	for !strings.ContainsRune("\x00ZX", rune(state(t, pid))) {
		require.NoError(t, t.Context().Err())
		runtime.Gosched()
	}
}

// requireNamed checks that a process goes on and is named, and ends it.
func requireNamed(t *testing.T, left []string, pid string) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	require.NoError(t, err)
	require.NotContains(t, "\x00ZX", string(state(t, pid)))
	require.NoError(t, unix.Kill(n, unix.SIGKILL))
	require.Len(t, left, 1)
	require.True(t, strings.HasPrefix(left[0], "process "+pid+" ("), left[0])
}
