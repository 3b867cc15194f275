//go:build linux

package fork_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
)

// place is a directory in which no supervisor is left when the test is over.
func place(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	tb.Cleanup(func() { require.NoError(tb, fork.AwaitSupervisor(dir)) })
	return dir
}

// detaching returns an executor whose attempts outlive it.
func detaching(dir string) *fork.Executor {
	return fork.New(fork.Config{
		Dir: dir, Capacity: capacity.Resources{dag.Cores: 2}, Grace: 5 * time.Second,
		WaitDelay: 100 * time.Millisecond,
	})
}

// A gate is where a job waits to be let go.
type gate struct {
	tb       testing.TB
	listener *net.TCPListener
}

func newGate(tb testing.TB) *gate {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = l.Close() })
	return &gate{tb, l.(*net.TCPListener)}
}

// job prints text, waits, prints "done" and exits with code.
func (g *gate) job(text string, code int) dag.Job {
	return helper("gate", g.listener.Addr().String(), text, strconv.Itoa(code))
}

// visitor is a job at the gate.
type visitor struct {
	conn net.Conn
	pid  int
}

// next waits for the next job.
func (g *gate) next() *visitor {
	g.tb.Helper()
	require.NoError(g.tb, g.listener.SetDeadline(time.Now().Add(patience)))
	conn, err := g.listener.Accept()
	require.NoError(g.tb, err)
	g.tb.Cleanup(func() { _ = conn.Close() })
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(g.tb, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(g.tb, err)
	return &visitor{conn, pid}
}

// none checks that nobody else has come.
func (g *gate) none() {
	g.tb.Helper()
	require.NoError(g.tb, g.listener.SetDeadline(time.Now()))
	_, err := g.listener.Accept()
	require.ErrorIs(g.tb, err, os.ErrDeadlineExceeded)
}

func (v *visitor) letGo(tb testing.TB) {
	tb.Helper()
	require.NoError(tb, v.conn.(*net.TCPConn).CloseWrite())
}

// ended waits until the job has ended, whatever has become of its process.
func (v *visitor) ended(tb testing.TB) {
	tb.Helper()
	require.NoError(tb, v.conn.SetReadDeadline(time.Now().Add(patience)))
	_, err := v.conn.Read(make([]byte, 1))
	require.Error(tb, err)
	require.NotErrorIs(tb, err, os.ErrDeadlineExceeded)
}

// call is a Run that goes on.
type call struct {
	tb             testing.TB
	cancel         context.CancelCauseFunc
	stdout, stderr bytes.Buffer
	running, done  chan struct{}
	result         executor.Result
	err            error
}

// begin runs a copy of a.
func begin(tb testing.TB, e *fork.Executor, a *executor.Attempt) *call {
	tb.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	c := &call{
		tb: tb, cancel: cancel, running: make(chan struct{}, 8), done: make(chan struct{}),
	}
	own := *a
	own.Stdout, own.Stderr = &c.stdout, &c.stderr
	own.OnReport = func(s executor.Status) {
		if s.Running {
			c.running <- struct{}{}
		}
	}
	go func() {
		defer close(c.done)
		c.result, c.err = e.Run(ctx, &own)
	}()
	tb.Cleanup(func() {
		cancel(context.Canceled)
		<-c.done
	})
	return c
}

func (c *call) wait() (executor.Result, error) {
	c.tb.Helper()
	select {
	case <-c.done:
	case <-time.After(patience):
		require.FailNow(c.tb, "Run does not return")
	}
	return c.result, c.err
}

// resumed is what another engine would run.
func resumed(a *executor.Attempt) *executor.Attempt {
	again := *a
	again.Resumed = true
	return &again
}

// requireLost checks that it is lost, and not merely failed.
func requireLost(tb testing.TB, err error, text string) {
	tb.Helper()
	_, ok := errors.AsType[*executor.LostError](err)
	require.True(tb, ok, "%v", err)
	require.ErrorContains(tb, err, text)
}

// requireDead checks that a process that was not this one's child has ended.
func requireDead(tb testing.TB, pid int) {
	tb.Helper()
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err == nil {
		_, state, _ := strings.Cut(string(stat), ") ")
		require.Contains(tb, "ZX", state[:1], string(stat))
	}
}

func killSupervisor(tb testing.TB, dir string) {
	tb.Helper()
	pid, err := fork.SupervisorPID(dir)
	require.NoError(tb, err)
	require.NoError(tb, unix.Kill(pid, unix.SIGKILL))
	require.NoError(tb, fork.AwaitSupervisor(dir))
}

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
	require.NoError(t, fork.AwaitSupervisor(dir))

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

// A supervisor that was killed while an engine is attached: what it ran is stopped,
// and then lost, in the same call of Run.
func TestSupervisorKilled(t *testing.T) {
	t.Parallel()
	dir := place(t)
	e, g := detaching(dir), newGate(t)
	a := attempt(g.job("text", 0))
	c := begin(t, e, a)
	v := g.next()
	killSupervisor(t, dir)
	_, err := c.wait()
	requireLost(t, err, "its supervisor was killed")
	v.ended(t)
	requireDead(t, v.pid)
	g.none()
	// And it stays so.
	_, err = begin(t, detaching(dir), resumed(a)).wait()
	requireLost(t, err, "its supervisor was killed")
	g.none()
}

// So it is if no engine was there, and for what has left the process group, or has
// dropped its environment.
func TestSupervisorKilledAlone(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]string{
		"in a session of its own":                "sow",
		"in a session, without its environment":  "scow",
		"ignoring SIGTERM, as does its ancestor": "stw",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, g := place(t), newGate(t)
			e := fork.New(fork.Config{Dir: dir, Grace: 300 * time.Millisecond})
			a := attempt(helper("spawn", how, "gate", g.listener.Addr().String(), "", "0"))
			requireOrphansLost(t, dir, e, g, a)
		})
	}
}

// So it is, if there are control groups, for what nothing else tells from other
// processes.
func TestSupervisorKilledUnknown(t *testing.T) {
	t.Parallel()
	requireLimits(t)
	for name, how := range map[string]string{
		"and asked":        "sclow",
		"ignoring SIGTERM": "sclotw",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, g := place(t), newGate(t)
			e := fork.New(fork.Config{Dir: dir, Grace: 300 * time.Millisecond})
			a := attempt(helper("spawn", how, "gate", g.listener.Addr().String(), "", "0"))
			requireOrphansLost(t, dir, e, g, a)
			require.NoError(t, fork.AwaitSupervisor(dir))
			require.Empty(t, fork.GroupsOf(dir))
		})
	}
}

// What a command leaves behind is ended when it exits, also if it holds no output:
// it has the lock.
func TestDetachedStragglers(t *testing.T) { // E1
	t.Parallel()
	for name, how := range map[string]string{
		"with the output":                         "s",
		"without the output":                      "so",
		"without the output and the environment":  "sco",
		"without anything that tells whose it is": "scol",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t)
			a := attempt(helper("spawn", how, "gate", g.listener.Addr().String(), "", "0"))
			c := begin(t, detaching(place(t)), a)
			v := g.next()
			r, err := c.wait()
			require.NoError(t, err)
			require.True(t, r.OK())
			require.Empty(t, r.Left)
			v.ended(t)
			requireDead(t, v.pid)
		})
	}
}

// A process that is being started has the locks of others until its program is
// executed, which is as if it had been given one. It is not what they left behind.
func TestLockOfAnother(t *testing.T) { // E1
	t.Parallel()
	lock, killHolders, err := fork.Lock(filepath.Join(t.TempDir(), "slots"))
	require.NoError(t, err)
	other := exec.Command("sleep", "60")
	other.ExtraFiles = []*os.File{lock}
	require.NoError(t, other.Start())
	left := exec.Command("sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $!")
	left.ExtraFiles = []*os.File{lock}
	out, err := left.Output()
	require.NoError(t, err)
	require.NoError(t, lock.Close())
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	require.NoError(t, err)

	require.Empty(t, killHolders())
	requireDead(t, pid)
	require.NoError(t, other.Process.Signal(unix.SIGTERM))
	require.ErrorContains(t, other.Wait(), "signal: terminated", "not killed before")
}

func requireOrphansLost(
	tb testing.TB, dir string, e *fork.Executor, g *gate, a *executor.Attempt,
) {
	tb.Helper()
	c := begin(tb, e, a)
	v := g.next()
	c.cancel(executor.ErrDetach)
	_, err := c.wait()
	require.ErrorIs(tb, err, executor.ErrDetach)
	killSupervisor(tb, dir)
	require.NoError(tb, unix.Kill(v.pid, 0), "it has outlived its supervisor")
	_, err = begin(tb, fork.New(fork.Config{
		Dir: dir, Capacity: capacity.Resources{dag.Cores: 1},
	}), resumed(a)).wait()
	requireLost(tb, err, "its supervisor was killed")
	v.ended(tb)
	requireDead(tb, v.pid)
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
	require.NoError(t, fork.AwaitSupervisor(dir)) // which has nothing to do then
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
