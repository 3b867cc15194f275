package cgroup_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/internal/cgroup"
)

// A group is used again if it is as it was found, and only then.
func TestReuse(t *testing.T) {
	forEachWay(t, func(t way) {
		p := t.pool
		limits := cgroup.Limits{Memory: 64 << 20, Cores: 1, Pids: 100}
		used := func(mode string, words ...string) *cgroup.Group {
			g := take(t, p, limits)
			begin(t, g, mode, words...).wait()
			g.Release()
			return g
		}
		first := used("exit", "0")
		require.Same(t, first, used("exit", "0"))
		isNext := func(g *cgroup.Group, l cgroup.Limits) bool {
			next := take(t, p, l)
			defer next.Release()
			return next == g
		}
		require.False(t, isNext(first, cgroup.Limits{Pids: 7}), "it has other limits")
		require.Same(t, first, take(t, p, limits))
		require.False(t, isNext(first, limits), "it is in use")
		first.Release()

		if first.Holds().Memory > 0 {
			g := take(t, p, limits)
			begin(t, g, "memory", strconv.Itoa(200<<20)).wait()
			g.Release() // nobody has asked what it was
			require.False(t, isNext(g, limits), "something was killed in it")

			file := filepath.Join("/dev/shm", "daggy-"+filepath.Base(p.Dirs()[0]))
			t.Cleanup(func() { _ = os.Remove(file) })
			g = take(t, p, limits)
			begin(t, g, "write", file, strconv.Itoa(8<<20)).wait()
			g.Release()
			require.False(t, isNext(g, limits), "memory is counted in it")
		}
		g := take(t, p, limits)
		hung := begin(t, g, "hang")
		require.Equal(t, "ready", hung.line())
		require.Empty(t, g.Kill(time.Now().Add(patience)))
		hung.wait()
		g.Release()
		next := take(t, p, limits)
		require.Zero(t, begin(t, next, "exit", "0").wait(), "it has nothing to do with that")
		next.Release()

		g = take(t, p, limits)
		c := begin(t, g, "spawn", "so", "hang")
		hanging := c.line()
		c.wait()
		g.Release()
		require.False(t, isNext(g, limits), "something runs in it")
		pid, err := strconv.Atoi(hanging)
		require.NoError(t, err)
		require.NoError(t, unix.Kill(pid, unix.SIGKILL))
	})
}

// A list that cannot be written keeps groups from being made.
func TestNoteFails(t *testing.T) {
	t.Parallel()
	full := errors.New("full")
	p := cgroup.NewPool(cgroup.Config{Note: func([]string) error { return full }})
	_, err := p.Take(cgroup.Limits{})
	require.ErrorIs(t, err, full)
	require.Empty(t, p.Dirs())
}

// Many at the same time get groups of their own.
func TestMany(t *testing.T) {
	forEachWay(t, func(t way) {
		p := t.pool
		const n = 200
		done := make(chan error)
		for i := range n {
			go func() {
				g, err := p.Take(cgroup.Limits{Memory: int64(i%3) << 24, Pids: 100})
				if err != nil {
					done <- err
					return
				}
				defer g.Release()
				attr := syscall.ProcAttr{Sys: &syscall.SysProcAttr{}}
				var pid int
				err = g.Start(attr.Sys, func() (err error) {
					pid, err = syscall.ForkExec("/bin/true", []string{"true"}, &attr)
					return err
				})
				if err == nil {
					_, err = unix.Wait4(pid, nil, 0, nil)
				}
				done <- err
			}()
		}
		for range n {
			require.NoError(t, <-done)
		}
	})
}
