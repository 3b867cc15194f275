//go:build linux

package fork_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/executortest"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/executor/fork/internal/journal"
	"github.com/daggy-go/daggy/executor/fork/internal/wire"
	"github.com/daggy-go/daggy/internal/helperproc"
)

// A command gets nothing of what makes a supervisor, and one descriptor more.
func TestDetachedCommandGets(t *testing.T) { // S3
	t.Parallel()
	e := detaching(place(t))
	_, stdout, _ := run(t, e, helper("fds"))
	require.Equal(t, "[0 1 2 61]\n", stdout)
	_, stdout, _ = run(t, e, helper("env"))
	require.NotContains(t, stdout, "SUPERVISOR")
	require.Contains(t, stdout, "DAGGY_KEY=")
	wd, err := os.Getwd()
	require.NoError(t, err)
	_, stdout, _ = run(t, e, helper("cwd"))
	require.Equal(t, wd+"\n", stdout)
}

// The directory is made for its user alone, and not used if others get at it.
func TestDetachedDirectory(t *testing.T) { // S3
	t.Parallel()
	dir := place(t)
	e := detaching(dir)
	run(t, e, helper("exit", "0"))
	state := filepath.Join(dir, "fork")
	require.NoError(t, filepath.Walk(state, func(path string, i os.FileInfo, err error) error {
		require.NoError(t, err)
		if i.Mode().Type() != os.ModeSocket { // what it is in keeps others away
			require.Zero(t, i.Mode().Perm()&0o077, path)
		}
		return nil
	}))
	require.NoError(t, os.Chmod(state, 0o750))
	open := detaching(dir)
	require.ErrorContains(t, open.Validate(helper("exit", "0")), "chmod 700")
	_, err := open.Run(t.Context(), attempt(helper("exit", "0")))
	require.ErrorContains(t, err, "chmod 700")
	require.NoError(t, os.Chmod(state, 0o700))

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.ErrorIs(t, detaching(file).Validate(helper("exit", "0")), unix.ENOTDIR)
}

func TestDetachedKeys(t *testing.T) { // S3
	t.Parallel()
	e := detaching(place(t))
	for _, key := range []string{"", "../up", "Upper", strings.Repeat("k", 65), "a.1", "a\x00"} {
		a := attempt(helper("exit", "0"))
		a.Key = key
		_, err := e.Run(t.Context(), a)
		require.ErrorContains(t, err, "key", key)
		require.ErrorContains(t, e.Forget(t.Context(), key), "key", key)
	}
}

// However many come first, there is one supervisor, and a key starts once.
func TestOneSupervisor(t *testing.T) { // E5
	t.Parallel()
	dir, g := place(t), newGate(t)
	a := attempt(g.job("", 0))
	calls := make([]*call, 8)
	for i := range calls {
		calls[i] = begin(t, detaching(dir), a)
	}
	v := g.next()
	for _, c := range calls {
		<-c.running
	}
	v.letGo(t)
	for _, c := range calls {
		_, err := c.wait()
		require.NoError(t, err)
		require.Equal(t, "done", c.stdout.String())
	}
	g.none()
}

// A supervisor that stands still keeps nobody from letting go.
func TestSupervisorStopped(t *testing.T) { // E2
	t.Parallel()
	dir, g := place(t), newGate(t)
	a := attempt(g.job("", 0))
	c := begin(t, detaching(dir), a)
	v := g.next()
	pid, err := fork.SupervisorPID(dir)
	require.NoError(t, err)
	require.NoError(t, unix.Kill(pid, unix.SIGSTOP))
	c.cancel(executor.ErrDetach)
	_, err = c.wait()
	require.ErrorIs(t, err, executor.ErrDetach)
	require.NoError(t, unix.Kill(pid, unix.SIGCONT))
	v.letGo(t)
	_, err = begin(t, detaching(dir), resumed(a)).wait()
	require.NoError(t, err)
}

// fewDescriptors is want of descriptors in a supervisor, which something else that
// it runs keeps alive meanwhile.
func (p places) fewDescriptors(tb testing.TB) executortest.Fault {
	tb.Helper()
	e, g := p.open("", time.Second), newGate(tb)
	begin(tb, e.(*fork.Executor), attempt(g.job("", 0)))
	v := g.next()
	pid, err := fork.SupervisorPID(p.dirs[e])
	require.NoError(tb, err)
	limit := func(n uint64) {
		l := unix.Rlimit{Cur: n, Max: 4096}
		require.NoError(tb, unix.Prlimit(pid, unix.RLIMIT_NOFILE, &l, nil))
	}
	limit(4)
	return executortest.Fault{
		Executor: e,
		Job:      executortest.Processes().Wait,
		Relieve:  func() { limit(256); v.letGo(tb) },
	}
}

// A supervisor of another version is named with both versions.
func TestAnotherProtocol(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := detaching(dir)
	l, err := net.Listen("unix", filepath.Join(dir, "fork", "socket"))
	require.NoError(t, err)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write(wire.Hello{Version: 99, PID: 12}.Append(nil))
			_ = conn.Close()
		}
	})
	_, err = e.Run(t.Context(), attempt(helper("exit", "0")))
	require.ErrorContains(t, err, "process 12 speaks version 99")
	require.ErrorContains(t, err, fmt.Sprint("this one version ", wire.Version))
	// What may run is not given up for that.
	c := begin(t, e, resumed(attempt(helper("exit", "0"))))
	c.cancel(executor.ErrDetach)
	_, err = c.wait()
	require.ErrorIs(t, err, executor.ErrDetach)
	require.NoError(t, l.Close())
	serving.Wait()
}

// A damaged journal starts nothing, and says where it is damaged.
func TestDamagedJournal(t *testing.T) {
	t.Parallel()
	dir := place(t)
	run(t, detaching(dir), helper("exit", "0"))
	require.NoError(t, helperproc.AwaitSupervisor(dir))
	path := filepath.Join(dir, "fork", journal.Name)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	data[20] ^= 1
	require.NoError(t, os.WriteFile(path, data, 0o600))
	_, err = detaching(dir).Run(t.Context(), attempt(helper("exit", "0")))
	require.ErrorContains(t, err, path+": damaged at offset 16")
	ctx, cancel := context.WithCancel(t.Context())
	a := resumed(attempt(helper("exit", "0")))
	a.OnReport = func(s executor.Status) {
		if strings.Contains(s.Reason, "is not known") {
			cancel() // else it would wait until somebody mends it
		}
	}
	_, err = detaching(dir).Run(ctx, a)
	require.ErrorContains(t, err, "damaged at offset 16")
}

// After another boot nothing runs, whatever the journal says, and whoever has the
// process IDs in it.
func TestRebooted(t *testing.T) { // E3
	t.Parallel()
	dir := place(t)
	e := detaching(dir)
	j, err := journal.Open(filepath.Join(dir, "fork"), journal.Boot{ID: "another"})
	require.NoError(t, err)
	a := attempt(helper("exit", "0"))
	_, err = j.Claim(a.Key, 0)
	require.NoError(t, err)
	require.NoError(t, j.Started(a.Key, journal.Process{PID: os.Getpid()}))
	require.NoError(t, j.Close())
	_, err = begin(t, e, resumed(a)).wait()
	requireLost(t, err, "the machine was restarted")
}

// A writer that fails or panics fails the attempt, in its engine alone.
func TestDetachedWriters(t *testing.T) { // R4
	t.Parallel()
	e := detaching(place(t))
	full, problem := errors.New("full"), "on purpose"
	for name, w := range map[string]writerFunc{
		"fails":  func([]byte) (int, error) { return 0, full },
		"panics": func([]byte) (int, error) { panic(problem) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := attempt(helper("print", "out", ""))
			a.Stdout = w
			_, err := e.Run(t.Context(), a)
			require.ErrorContains(t, err, "stdout is lost")
			var stdout bytes.Buffer
			again := resumed(a)
			again.Stdout = &stdout
			_, err = e.Run(t.Context(), again)
			require.NoError(t, err)
			require.Equal(t, "out", stdout.String())
		})
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Both outputs in one writer come in the order in which they were written.
func TestDetachedJoined(t *testing.T) {
	t.Parallel()
	var both bytes.Buffer
	a := attempt(helper("both", "20000"))
	a.Stdout, a.Stderr = &both, &both
	_, err := detaching(place(t)).Run(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("oe", 20000), both.String())
}

// engineDetachedFlood is an engine that is told of a gigabyte, as is its supervisor.
func engineDetachedFlood([]string) (int, error) {
	dir, err := os.MkdirTemp("", "flood")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	before, err := peak()
	if err != nil {
		return 0, err
	}
	const size = 1 << 30
	var count counter
	var supervisor int64
	a := attempt(dag.Job{Command: helper("flood", fmt.Sprint(size)).Command})
	a.Stdout = writerFunc(func(p []byte) (int, error) {
		if count == 0 || count > size-1<<20 {
			supervisor, err = peakOf(dir)
		}
		return count.Write(p)
	})
	r, runErr := detaching(dir).Run(context.Background(), a)
	if err := errors.Join(err, runErr); err != nil || !r.OK() || count != size {
		return 0, fmt.Errorf("%v, %d bytes: %w", r, count, err)
	}
	after, err := peak()
	if err == nil && (after-before > 64<<20 || supervisor > 96<<20) {
		err = fmt.Errorf("it cost %d bytes, and the supervisor has %d", after-before, supervisor)
	}
	return 0, errors.Join(err, helperproc.AwaitSupervisor(dir))
}

// peakOf returns the most memory that the supervisor ever had.
func peakOf(dir string) (int64, error) {
	pid, err := fork.SupervisorPID(dir)
	if err != nil {
		return 0, err
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	var kb int64
	_, err = fmt.Sscan(rest, &kb)
	return kb << 10, err
}
