//go:build linux

package fork_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
)

// state is that of a process in /proc, such as 'S' or 'Z'; 0: it is gone.
func state(t *testing.T, pid string) byte {
	t.Helper()
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		require.ErrorIs(t, err, fs.ErrNotExist)
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return rest[0]
}

// requireGone checks that a process has ended, whether or not its new parent has
// noticed.
func requireGone(t *testing.T, pid string) {
	t.Helper()
	require.NotEmpty(t, pid)
	require.Contains(t, "\x00ZX", string(state(t, pid)), "process %s goes on", pid)
}

// E2: asked, and given time.
func TestStopAsks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cause error
		code  string
		want  string
	}{
		"canceled":                     {context.Canceled, "7", "failure (exit 7)"},
		"detached":                     {executor.ErrDetach, "7", "failure (exit 7)"},
		"time limit (E7)":              {executor.ErrTimeLimit, "7", "failure (time limit)"},
		"stays a success":              {context.Canceled, "0", "success"},
		"stays a success at the limit": {executor.ErrTimeLimit, "0", "success"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := launch(t, patient(t), helper("onterm", c.code))
			require.Equal(t, "ready", l.line())
			l.cancel(c.cause)
			require.Equal(t, "asked", l.line())
			r, err := l.wait()
			require.NoError(t, err)
			require.Equal(t, c.want, r.String())
		})
	}
}

// E2: a process that stands still is asked too.
func TestStopWakes(t *testing.T) {
	t.Parallel()
	l := launch(t, patient(t), helper("onterm", "7"))
	require.Equal(t, "ready", l.line())
	pid, err := strconv.Atoi(<-l.pid)
	require.NoError(t, err)
	require.NoError(t, unix.Kill(pid, unix.SIGSTOP))
	l.cancel(context.Canceled)
	require.Equal(t, "asked", l.line())
	r, err := l.wait()
	require.NoError(t, err)
	require.Equal(t, 7, r.ExitCode)
}

// E2: killed after the grace time.
func TestStopKills(t *testing.T) {
	t.Parallel()
	for way, e := range watches(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			l := launch(t, e, helper("trap"))
			require.Equal(t, "ready", l.line())
			l.cancel(executor.ErrTimeLimit)
			r, err := l.wait()
			require.NoError(t, err)
			require.Equal(t, "SIGKILL", r.Signal)
			require.Equal(t, executor.CauseTime, r.Cause)
			require.Empty(t, r.Left)
		})
	}
}

func TestStopWithoutGraceDoesNotAsk(t *testing.T) {
	t.Parallel()
	l := launch(t, fork.New(fork.Config{Grace: -1}), helper("onterm", "7"))
	require.Equal(t, "ready", l.line())
	l.cancel(context.Canceled)
	r, err := l.wait()
	require.NoError(t, err)
	require.Equal(t, "SIGKILL", r.Signal)
}

// E2: the grace time is for the whole group, also when its leader dies at once.
func TestStopGivesDescendantsTime(t *testing.T) {
	t.Parallel()
	l := launch(t, patient(t), helper("spawn", "w", "onterm", "0"))
	require.Equal(t, "ready", l.line()) // the descendant
	child := l.line()
	require.Equal(t, "ready", l.line()) // the command
	l.cancel(context.Canceled)
	require.Equal(t, "asked", l.line())
	r, err := l.wait()
	require.NoError(t, err)
	require.NotEqual(t, 0, r.ExitCode+len(r.Signal))
	require.Empty(t, r.Left)
	requireGone(t, child)
}

// E1, E2: nothing is left of what stays in the group.
func TestStopKillsTheGroup(t *testing.T) {
	t.Parallel()
	for way, e := range watches(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			l := launch(t, e, helper("spawn", "wt", "trap"))
			require.Equal(t, "ready", l.line())
			child := l.line()
			require.Equal(t, "ready", l.line())
			l.cancel(context.Canceled)
			r, err := l.wait()
			require.NoError(t, err)
			require.Equal(t, "SIGKILL", r.Signal)
			require.Empty(t, r.Left)
			requireGone(t, child)
		})
	}
}

// E1: a descendant in the group that outlives its command is killed, whether or
// not it holds the output.
func TestExitKillsTheGroup(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"", "o"} {
		t.Run("how="+how, func(t *testing.T) {
			t.Parallel()
			r, stdout, _ := run(t, patient(t), helper("spawn", how, "trap"))
			require.True(t, r.OK())
			require.Empty(t, r.Left)
			lines := strings.Fields(stdout)
			requireGone(t, lines[len(lines)-1])
		})
	}
}

// A writer that blocks does not keep the command alive.
func TestStopPassesBlockedWriters(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	a := attempt(helper("flood", "100000000"))
	a.Stdout = w
	pid := make(chan string, 1)
	a.OnReport = func(s executor.Status) { pid <- s.Ref }
	done := make(chan executor.Result, 1)
	e := setup(t)
	go func() {
		result, _ := e.Run(ctx, a)
		done <- result
	}()
	_, err := r.Read(make([]byte, 1))
	require.NoError(t, err)
	cancel()
	// It stays a zombie for as long as Run cannot return.
	for id := <-pid; state(t, id) != 'Z'; {
		require.NoError(t, t.Context().Err())
		runtime.Gosched()
	}
	require.NoError(t, r.Close())
	require.Equal(t, "SIGTERM", (<-done).Signal)
}

func TestRunThatWasStoppedBefore(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{context.Canceled, executor.ErrTimeLimit, executor.ErrDetach} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		a := attempt(helper("exit", "0"))
		a.OnReport = func(executor.Status) { t.Error("it was started") }
		_, err := setup(t).Run(ctx, a)
		require.ErrorIs(t, err, cause)
	}
}

// Whenever ctx ends, there is one outcome, nothing is left, and no stranger is
// signalled.
func TestStopRacesWithExit(t *testing.T) {
	t.Parallel()
	for way, e := range watches(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			path, err := exec.LookPath("true")
			require.NoError(t, err)
			random := rand.New(rand.NewPCG(1, 2))
			for range 150 {
				ctx, cancel := context.WithTimeoutCause(t.Context(),
					time.Duration(random.IntN(3000))*time.Microsecond, executor.ErrTimeLimit)
				r, err := e.Run(ctx, attempt(dag.Command(path)))
				cancel()
				switch {
				case err != nil:
					require.ErrorIs(t, err, executor.ErrTimeLimit)
					require.Zero(t, r)
				case !r.OK():
					require.Equal(t, "SIGTERM", r.Signal)
					require.Equal(t, executor.CauseTime, r.Cause)
				}
				require.Empty(t, r.Left)
			}
		})
	}
}

// Signals for real time have no name.
func TestRunNamesSignalsWithoutName(t *testing.T) {
	t.Parallel()
	const high = unix.Signal(40)
	path, err := exec.LookPath("sleep")
	require.NoError(t, err)
	a := attempt(dag.Command(path, "1000"))
	a.OnReport = func(s executor.Status) {
		pid, err := strconv.Atoi(s.Ref)
		if err := errors.Join(err, unix.Kill(pid, high)); err != nil {
			t.Error(err)
		}
	}
	r, err := setup(t).Run(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("signal %d", high), r.Signal)
	require.Equal(t, -1, r.ExitCode)
}

// R4: whoever panics, nothing is left of the command.
func TestPanicOfTheEngineLeavesNothing(t *testing.T) {
	t.Parallel()
	a := attempt(dag.Job{Command: helper("hang").Command})
	var pid string
	a.OnReport = func(s executor.Status) {
		pid = s.Ref
		panic("on purpose")
	}
	require.Panics(t, func() { _, _ = setup(t).Run(t.Context(), a) })
	requireGone(t, pid)
}
