//go:build linux

package fork_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"os"
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
	"github.com/daggy-go/daggy/internal/helperproc"
)

// place is a directory in which no supervisor is left when the test is over.
func place(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	tb.Cleanup(func() { require.NoError(tb, helperproc.AwaitSupervisor(dir)) })
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
	require.NoError(tb, helperproc.AwaitSupervisor(dir))
}
