package cgroup_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/internal/cgroup"
	"github.com/daggy-go/daggy/internal/helperproc"
)

// firstThread is played in the first thread of its process.
const firstThread = "first-thread"

func init() {
	if len(os.Args) > 2 && os.Args[2] == firstThread {
		runtime.LockOSThread()
	}
}

// A process of a group, and those that it starts, are in the group in every hierarchy
// that it takes, and the thread that started it is not.
func TestStart(t *testing.T) {
	forEachWay(t, func(t way) {
		p := t.pool
		g := take(t, p, cgroup.Limits{Memory: 64 << 20, Cores: 1, Pids: 100})
		defer g.Release()
		c := begin(t, g, "spawn", "sw", "hang")
		require.Equal(t, "ready", c.line())
		grandchild := c.line()
		own, err := os.ReadFile("/proc/self/cgroup")
		require.NoError(t, err)
		for _, pid := range []string{strconv.Itoa(c.pid), grandchild} {
			groups, err := os.ReadFile("/proc/" + pid + "/cgroup")
			require.NoError(t, err)
			for _, dir := range p.Dirs() {
				require.Contains(t, string(groups), "/daggy/"+filepath.Base(dir)+"/", dir)
			}
			require.Equal(t, len(p.Dirs()), strings.Count(string(groups), "/daggy/"))
		}
		require.Empty(t, g.Kill(time.Now().Add(patience)))
		c.wait()
		requireGone(t, grandchild)
		requireHome(t, string(own))
	})
}

// requireHome checks that no thread is anywhere but where this process is, or on its way.
func requireHome(tb testing.TB, own string) {
	tb.Helper()
	require.Eventually(tb, func() bool {
		threads, err := filepath.Glob("/proc/self/task/*/cgroup")
		require.NoError(tb, err)
		for _, thread := range threads {
			groups, err := os.ReadFile(thread)
			if err == nil && string(groups) != own {
				return false
			}
		}
		return true
	}, patience, time.Millisecond)
}

// The first thread of a process is never moved.
func TestStartInTheFirstThread(t *testing.T) {
	forEachWay(t, func(t way) {
		output, err := helperproc.Exec(t.Context(), firstThread, t.Name()).CombinedOutput()
		require.NoError(t, err, string(output))
	})
}

func playFirstThread(args []string) (int, error) {
	if unix.Gettid() != os.Getpid() {
		return 0, errors.New("this is another thread")
	}
	c := cgroup.Config{}
	for _, version := range []int{1, 2} {
		if strings.HasSuffix(args[0], fmt.Sprint("version_", version)) {
			c = cgroup.Config{Version: version}
		}
	}
	g, err := cgroup.NewPool(c).Take(cgroup.Limits{Pids: 100})
	if err != nil {
		return 0, err
	}
	defer g.Release()
	return 0, g.Start(&syscall.SysProcAttr{}, func() error {
		groups, err := os.ReadFile("/proc/self/cgroup") // of the first thread
		if strings.Contains(string(groups), "daggy") {
			err = fmt.Errorf("it was moved: %s", groups)
		}
		return err
	})
}
