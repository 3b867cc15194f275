//go:build linux

package fork_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/internal/helperproc"
)

// The supervisor ends by itself, and the next one knows all that it did.
func TestDetachedIsRemembered(t *testing.T) {
	t.Parallel()
	dir := place(t)
	e := detaching(dir)
	require.True(t, e.Durable())
	a := attempt(helper("print", "out", "err"))
	c := begin(t, e, a)
	_, err := c.wait()
	require.NoError(t, err)
	failing := attempt(helper("exit", "3"))
	r, err := begin(t, e, failing).wait()
	require.NoError(t, err)
	require.Equal(t, 3, r.ExitCode)
	require.NoError(t, helperproc.AwaitSupervisor(dir))

	again := begin(t, detaching(dir), resumed(a))
	r, err = again.wait()
	require.NoError(t, err)
	require.Equal(t, c.result, r)
	require.Equal(t, "out", again.stdout.String())
	require.Equal(t, "err", again.stderr.String())
	r, err = begin(t, detaching(dir), resumed(failing)).wait()
	require.NoError(t, err)
	require.Equal(t, 3, r.ExitCode)
}

// Who comes between the end of an attempt and its being taken out is told what the
// journal has: that another engine stopped it.
func TestDetachedToldLate(t *testing.T) { // E5
	t.Parallel()
	require.Equal(t, "lost", string(fork.ToldLate([]byte("exit 7"), []byte("lost"))))
}

// What runs goes on without an engine, and is attached to by the next one.
func TestDetachedGoesOn(t *testing.T) {
	t.Parallel()
	dir := place(t)
	g := newGate(t)
	a := attempt(g.job("text ", 4))
	c := begin(t, detaching(dir), a)
	v := g.next()
	c.cancel(executor.ErrDetach)
	_, err := c.wait()
	require.ErrorIs(t, err, executor.ErrDetach)
	again := begin(t, detaching(dir), resumed(a))
	<-again.running
	v.letGo(t)
	r, err := again.wait()
	require.NoError(t, err)
	require.Equal(t, 4, r.ExitCode)
	require.Equal(t, "text done", again.stdout.String())
	g.none()
}

// The time limit holds while no engine is there.
func TestDetachedTimeLimit(t *testing.T) { // E7
	t.Parallel()
	dir := place(t)
	a := attempt(helper("hang"))
	a.Job.TimeLimit = 300 * time.Millisecond
	c := begin(t, detaching(dir), a)
	<-c.running
	c.cancel(executor.ErrDetach)
	// On a busy machine it may be over before the engine has let go.
	if r, err := c.wait(); !errors.Is(err, executor.ErrDetach) {
		require.NoError(t, err)
		require.Equal(t, executor.CauseTime, r.Cause)
	}
	require.NoError(t, helperproc.AwaitSupervisor(dir)) // which has nothing to do then
	r, err := begin(t, detaching(dir), resumed(a)).wait()
	require.NoError(t, err)
	require.Equal(t, executor.CauseTime, r.Cause)
	require.Equal(t, "SIGTERM", r.Signal)
}

// Long output is kept in a file, which only its user may read, and is told from its
// first byte to any engine that comes.
func TestDetachedOutput(t *testing.T) { // E6
	t.Parallel()
	dir := place(t)
	e := detaching(dir)
	const n = 1 << 20
	a := attempt(helper("both", strconv.Itoa(n)))
	check := func(c *call) {
		_, err := c.wait()
		require.NoError(t, err)
		require.Equal(t, n, strings.Count(c.stdout.String(), "o"))
		require.Equal(t, n, c.stdout.Len())
		require.Equal(t, n, strings.Count(c.stderr.String(), "e"))
	}
	first, second := begin(t, e, a), begin(t, detaching(dir), resumed(a))
	check(first)
	check(second)
	check(begin(t, detaching(dir), resumed(a)))
	files, err := filepath.Glob(filepath.Join(dir, "fork", "output", "*"))
	require.NoError(t, err)
	require.Len(t, files, 2)
	for _, file := range files {
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode())
	}
	require.NoError(t, e.Forget(t.Context(), a.Key))
	files, err = filepath.Glob(filepath.Join(dir, "fork", "output", "*"))
	require.NoError(t, err)
	require.Empty(t, files)
}

// What a command cannot be executed for is told as without a supervisor.
func TestDetachedErrors(t *testing.T) {
	t.Parallel()
	e := detaching(place(t))
	file := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(file, []byte("no program"), 0o700))
	inDir := helper("exit", "0")
	inDir.WorkDir = filepath.Join(t.TempDir(), "missing")
	huge := helper("args", strings.Repeat("x", 9<<20))
	for name, c := range map[string]struct {
		job       dag.Job
		is        error
		permanent bool
	}{
		"not found":         {dag.Command("no-such-command-anywhere"), nil, false},
		"no program":        {dag.Command(file), unix.ENOEXEC, false},
		"working directory": {inDir, os.ErrNotExist, false},
		"too large":         {huge, unix.E2BIG, true},
		"a zero byte":       {helper("args", "\x00"), unix.EINVAL, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, here := setup(t).Run(t.Context(), attempt(c.job))
			_, there := e.Run(t.Context(), attempt(c.job))
			require.Error(t, here)
			require.Equal(t, here.Error(), there.Error())
			require.Equal(t, c.permanent, executor.IsPermanent(there))
			command, ok := errors.AsType[*fork.CommandError](there)
			require.True(t, ok)
			require.Equal(t, c.job.WorkDir, command.WorkDir)
			if c.is != nil {
				require.ErrorIs(t, there, c.is)
			}
		})
	}
}
