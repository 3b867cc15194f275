package cgroup_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/cgroup"
)

func TestRecallPassesOver(t *testing.T) {
	t.Parallel()
	require.Empty(t, cgroup.Recall([]string{
		"", "/", "/sys/fs/cgroup", "relative/daggy/s-a", "/tmp/daggy/s-a",
		"/sys/fs/cgroup/unified/daggy/e-a", "/sys/fs/cgroup/unified/daggy/../s-a",
	}).Dirs())
}

// So is what is a control group, but not one that a supervisor has noted.
func TestRecallPassesOverGroups(t *testing.T) {
	forEachWay(t, func(t way) {
		engine := take(t, t.pool, cgroup.Limits{})
		defer engine.Release()
		require.Empty(t, cgroup.Recall(t.pool.Dirs()).Dirs())

		config := t.config
		config.Note = func([]string) error { return nil }
		p := cgroup.NewPool(config)
		g := take(t, p, cgroup.Limits{})
		defer g.Release()
		dirs := p.Dirs()
		leaveNothing(t, p)
		require.Equal(t, dirs, cgroup.Recall(dirs).Dirs())
		own := filepath.Join(dirs[0], "1")
		below := filepath.Join(own, "s-a")
		require.NoError(t, os.Mkdir(below, 0o755))
		here, err := os.Getwd()
		require.NoError(t, err)
		relative, err := filepath.Rel(here, dirs[0])
		require.NoError(t, err)
		above, name := filepath.Split(dirs[0])
		for _, dir := range []string{above, above + "/" + name, own, below, relative} {
			require.DirExists(t, dir)
			require.Empty(t, cgroup.Recall([]string{dir}).Dirs(), dir)
		}
	})
}

func TestRecallPassesOverDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "daggy", "s-a")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	require.Empty(t, cgroup.Recall([]string{dir}).Dirs())
}
