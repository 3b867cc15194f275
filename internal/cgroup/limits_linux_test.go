package cgroup_test

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

	"github.com/daggy-go/daggy/internal/cgroup"
)

func TestMemory(t *testing.T) {
	forEachWay(t, func(t way) {
		p := t.pool
		g := take(t, p, cgroup.Limits{Memory: 64 << 20})
		defer g.Release()
		status := begin(t, g, "memory", strconv.Itoa(200<<20)).wait()
		peak, killed := g.KilledForMemory()
		if g.Holds().Memory == 0 {
			require.False(t, killed)
			return
		}
		require.Equal(t, unix.SIGKILL, status.Signal())
		require.True(t, killed)
		require.InDelta(t, 64<<20, peak, 1<<20, "the kernel lets some through")
		_, again := g.KilledForMemory()
		require.False(t, again, "that is known now")
	})
}

// Two threads of a group of one core take at least as long as one would, whatever else
// runs on the machine; and a group that has no time left is not used again.
func TestCores(t *testing.T) {
	forEachWay(t, func(t way) {
		p := t.pool
		g := take(t, p, cgroup.Limits{Cores: 1})
		if g.Holds().Cores == 0 {
			g.Release()
			return
		}
		began := time.Now()
		require.Zero(t, begin(t, g, "burn").wait())
		const much = 200 * time.Millisecond // what was given for the last period, and some more
		require.Greater(t, time.Since(began), burnt-much)
		exhausted := false
		for _, dir := range p.Dirs() {
			text, err := os.ReadFile(filepath.Join(dir, "1", "cpu.stat"))
			// Where there is no controller there is no such line.
			if err == nil && strings.Contains(string(text), "nr_throttled ") &&
				!strings.Contains(string(text), "nr_throttled 0\n") {
				exhausted = true
			}
		}
		g.Release()
		next := take(t, p, cgroup.Limits{Cores: 1})
		defer next.Release()
		require.Equal(t, !exhausted, g == next)
	})
}

// burnt is how much processor time is used for that.
const burnt = time.Second

// playBurn uses processor time with two threads.
func playBurn([]string) (int, error) {
	done := make(chan error)
	for range 2 {
		go func() {
			for {
				var used unix.Rusage
				err := unix.Getrusage(unix.RUSAGE_SELF, &used)
				if err != nil || used.Utime.Nano()+used.Stime.Nano() > int64(burnt) {
					done <- err
					return
				}
			}
		}()
	}
	return 0, errors.Join(<-done, <-done)
}

// What the files say is what was asked for.
func TestLimitsAreWritten(t *testing.T) {
	forEachWay(t, func(t way) {
		p := t.pool
		g := take(t, p, cgroup.Limits{Memory: 64 << 20, Cores: 1, Pids: 77})
		defer g.Release()
		found := map[string]string{}
		for _, dir := range p.Dirs() {
			for _, name := range []string{
				"memory.limit_in_bytes", "memory.max", "cpu.cfs_quota_us", "cpu.max", "pids.max",
			} {
				if text, err := os.ReadFile(filepath.Join(dir, "1", name)); err == nil {
					found[name] = strings.TrimSpace(string(text))
				}
			}
		}
		want := map[string]string{
			"memory.limit_in_bytes": "67108864", "memory.max": "67108864",
			"cpu.cfs_quota_us": "100000", "cpu.max": "100000 100000", "pids.max": "77",
		}
		n := 0
		for name, value := range found {
			require.Equal(t, want[name], value, name)
			n++
		}
		held := 0
		for _, limit := range []int64{g.Holds().Memory, g.Holds().Cores, g.Holds().Pids} {
			if limit > 0 {
				held++
			}
		}
		require.Equal(t, held, n)
	})
}
