//go:build linux

package cgroup_test

import (
	"bufio"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/internal/cgroup"
	"github.com/daggy-go/daggy/internal/helperproc"
)

// patience is how long a test waits for what must come.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	helperproc.Main(map[string]helperproc.Mode{
		firstThread: playFirstThread,
		"owner":     playOwner,
		"where":     playWhere,
		"burn":      playBurn,
	})
	code := m.Run()
	p := cgroup.NewPool(cgroup.Config{})
	_, _ = p.Abilities() // removes what others left who were killed
	for len(p.Dirs()) > 0 {
		<-time.After(time.Millisecond)
	}
	os.Exit(code)
}

// ways are the pools that can be made on this machine: those of each version that it
// has, and of both.
func ways(tb testing.TB) map[string]cgroup.Config {
	tb.Helper()
	all := map[string]cgroup.Config{
		"all there is": {},
		"version 1":    {Version: 1},
		"version 2":    {Version: 2},
	}
	for name, c := range all {
		can, err := cgroup.NewPool(c).Abilities()
		require.NoError(tb, err)
		tb.Logf("%s: memory: %v, cores: %v, pids: %v, tree: %v",
			name, can.Memory, can.Cores, can.Pids, can.Tree)
		if can.Tree != nil {
			delete(all, name)
		}
	}
	if len(all) == 0 {
		tb.Skip("this process may not make control groups on this machine")
	}
	return all
}

// A way is a test with a pool.
type way struct {
	*testing.T
	config cgroup.Config
	pool   *cgroup.Pool
}

// forEachWay runs a test in each way, with a pool that leaves nothing.
func forEachWay(t *testing.T, test func(way)) {
	t.Helper()
	t.Parallel()
	for name, c := range ways(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := cgroup.NewPool(c)
			release, err := p.Hold() // however slow the machine is
			require.NoError(t, err)
			defer release()
			require.NotEmpty(t, p.Dirs())
			leaveNothing(t, p)
			test(way{t, c, p})
		})
	}
}

// leaveNothing checks in the end that what p has made is gone.
func leaveNothing(tb testing.TB, p *cgroup.Pool) {
	tb.Helper()
	dirs := p.Dirs()
	tb.Cleanup(func() {
		for _, dir := range append(dirs, p.Dirs()...) {
			require.Eventually(tb, func() bool {
				_, err := os.Stat(dir)
				return errors.Is(err, os.ErrNotExist)
			}, patience, time.Millisecond, "%s is left", dir)
		}
	})
}

func take(tb testing.TB, p *cgroup.Pool, l cgroup.Limits) *cgroup.Group {
	tb.Helper()
	g, err := p.Take(l)
	require.NoError(tb, err)
	require.NotNil(tb, g)
	return g
}

// child is a process in a group.
type child struct {
	tb     testing.TB
	pid    int
	stdout *bufio.Reader
}

func begin(tb testing.TB, g *cgroup.Group, mode string, words ...string) *child {
	tb.Helper()
	r, w, err := os.Pipe()
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = r.Close() })
	argv := helperproc.Command(mode, words...)
	attr := &syscall.SysProcAttr{Setpgid: true}
	c := &child{tb: tb, stdout: bufio.NewReader(r)}
	require.NoError(tb, g.Start(attr, func() error {
		c.pid, err = syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
			Env: os.Environ(), Files: []uintptr{0, w.Fd(), 2}, Sys: attr,
		})
		return err
	}))
	require.NoError(tb, w.Close())
	return c
}

func (c *child) line() string {
	c.tb.Helper()
	line, err := c.stdout.ReadString('\n')
	require.NoError(c.tb, err)
	return strings.TrimSpace(line)
}

func (c *child) wait() unix.WaitStatus {
	c.tb.Helper()
	var status unix.WaitStatus
	err := error(unix.EINTR)
	for errors.Is(err, unix.EINTR) {
		_, err = unix.Wait4(c.pid, &status, 0, nil)
	}
	require.NoError(c.tb, err)
	return status
}

// gone reports whether a process has ended.
func gone(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	_, state, _ := strings.Cut(string(stat), ") ")
	return err != nil || strings.Contains("ZX", state[:1])
}

func requireGone(tb testing.TB, pid string) {
	tb.Helper()
	require.True(tb, gone(pid), pid)
}
