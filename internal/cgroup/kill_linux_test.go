package cgroup_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/internal/cgroup"
)

// Everything is killed: what has left its session, and what is in groups of its own.
func TestKill(t *testing.T) {
	forEachWay(t, func(t way) {
		p := t.pool
		g := take(t, p, cgroup.Limits{Pids: 1000})
		defer g.Release()
		var pids []string
		var children []*child
		for range 3 {
			c := begin(t, g, "spawn", "sctw", "trap")
			require.Equal(t, "ready", c.line())
			pids = append(pids, c.line(), strconv.Itoa(c.pid))
			children = append(children, c)
		}
		below := filepath.Join(p.Dirs()[0], "1", "below")
		require.NoError(t, os.Mkdir(below, 0o755))
		require.NoError(t, os.WriteFile(below+"/cgroup.procs", []byte(pids[0]), 0))
		require.Len(t, g.Kill(time.Time{}), len(pids), "what is there before it is killed")
		require.Empty(t, g.Kill(time.Now().Add(patience)))
		for _, c := range children {
			require.Equal(t, unix.SIGKILL, c.wait().Signal())
		}
		for _, pid := range pids {
			requireGone(t, pid)
		}
	})
}
