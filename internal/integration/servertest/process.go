package servertest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// patience is how long a server may take to start or to stop.
	patience = 60 * time.Second
	// poll is how often to ask whether it has started.
	poll = 5 * time.Millisecond
)

// A process is a server that runs.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed once it was waited for
}

// start starts a server that logs to the file, the end of which is shown if the test
// fails. It is killed if the test leaves it behind, and by the kernel if the test is
// killed.
func start(tb testing.TB, cmd *exec.Cmd, log string) *process {
	tb.Helper()
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("%s:\n%s", cmd.Path, tail(log))
		}
	})
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(tb, err)
	cmd.Stdout, cmd.Stderr = f, f
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if cmd.SysProcAttr.Pdeathsig == 0 {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	}
	require.NoError(tb, cmd.Start())
	p := &process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		// How it ended is in its log.
		_ = cmd.Wait()
		_ = f.Close()
		close(p.ended)
	}()
	return p
}

// signal sends a signal to the server, and nothing if it has ended.
func (p *process) signal(tb testing.TB, sig os.Signal) {
	tb.Helper()
	select {
	case <-p.ended:
	default:
		// It may just have ended.
		if err := p.cmd.Process.Signal(sig); !errors.Is(err, os.ErrProcessDone) {
			require.NoError(tb, err)
		}
	}
}

// Pause stops all processes of the server where they are: connections stay open
// and nothing answers. Continue has them go on.
func (p *process) Pause(tb testing.TB) {
	tb.Helper()
	// The server itself first, so that it makes no more processes.
	p.signal(tb, syscall.SIGSTOP)
	p.signalChildren(tb, syscall.SIGSTOP)
}

// Continue ends a Pause.
func (p *process) Continue(tb testing.TB) {
	tb.Helper()
	p.signalChildren(tb, syscall.SIGCONT)
	p.signal(tb, syscall.SIGCONT)
}

// signalChildren sends a signal to the processes that the server has made. They
// may have process groups of their own, so they are found by their parent.
func (p *process) signalChildren(tb testing.TB, sig syscall.Signal) {
	tb.Helper()
	pid := strconv.Itoa(p.cmd.Process.Pid)
	lists, err := filepath.Glob(filepath.Join("/proc", pid, "task", "*", "children"))
	require.NoError(tb, err)
	for _, list := range lists {
		b, err := os.ReadFile(list)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // the server or its thread has ended
		}
		require.NoError(tb, err)
		for _, field := range strings.Fields(string(b)) {
			child, err := strconv.Atoi(field)
			require.NoError(tb, err)
			if err := syscall.Kill(child, sig); !errors.Is(err, syscall.ESRCH) {
				require.NoError(tb, err)
			}
		}
	}
}

// stop sends a signal that ends the server and waits until it has ended. A
// paused server is continued, so that it can.
func (p *process) stop(tb testing.TB, sig os.Signal) {
	tb.Helper()
	if p == nil {
		return
	}
	p.signal(tb, sig)
	p.Continue(tb)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		p.signal(tb, syscall.SIGKILL)
		<-p.ended
		require.FailNowf(tb, "a server does not stop", "%s, %v", p.cmd.Path, sig)
	}
}

// await asks again and again until the server is ready. The test fails if the
// server ends or takes too long, with the end of its log.
func (p *process) await(tb testing.TB, log string, ready func(ctx context.Context) error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-p.ended:
			require.NoError(tb, err, "%s has ended: %s", p.cmd.Path, tail(log))
		case <-ctx.Done():
			require.NoError(tb, err, "%s is not ready: %s", p.cmd.Path, tail(log))
		}
	}
}

// tail returns the end of a file, for people.
func tail(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-4096):])
}

// directory makes a directory that the user who runs the server owns.
func directory(tb testing.TB, owner *syscall.Credential) string {
	tb.Helper()
	//nolint:usetesting // root's TempDir is closed to others and too long for a socket's path
	dir, err := os.MkdirTemp("", "daggy-")
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, os.RemoveAll(dir)) })
	if owner != nil {
		require.NoError(tb, os.Chown(dir, int(owner.Uid), int(owner.Gid)))
	}
	return dir
}

// nobody is who runs servers that refuse to be run by root. Nil: whoever runs
// the test.
func nobody(tb testing.TB) *syscall.Credential {
	tb.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	who, err := user.Lookup("nobody")
	require.NoError(tb, err)
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	require.NoError(tb, err)
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	require.NoError(tb, err)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// command runs a program to its end, in the server's directory.
func command(tb testing.TB, dir string, who *syscall.Credential, name string, args ...string) {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), name, args...)
	prepare(cmd, dir, who)
	out, err := cmd.CombinedOutput()
	require.NoError(tb, err, "%s: %s", filepath.Base(name), out)
}

func prepare(cmd *exec.Cmd, dir string, who *syscall.Credential) {
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
}
