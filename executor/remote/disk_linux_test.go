package remote_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/executor/remote"
	"github.com/daggy-go/daggy/internal/chaos"
	"github.com/daggy-go/daggy/runner"
)

// On a daemon whose disk is really full nothing new starts, and what runs goes on. When
// there is room again so does everything else: no task has failed, and each ran once.
func TestDiskIsFull(t *testing.T) { // L5
	t.Parallel()
	dir := t.TempDir()
	disk, err := chaos.MountDisk(dir)
	if errors.Is(err, unix.EPERM) {
		t.Skip("this process may not mount disks")
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, disk.Unmount()) })
	m := bootAs(t, daemonConfig{Node: "a", Capacity: cores(3), Dir: filepath.Join(dir, "a")})
	e := fleet(t, remote.Config{}, m)
	tasks := t.TempDir()
	d := marking(tasks, 80, 200*time.Millisecond)
	h, err := (&runner.Runner{Executor: e}).Start(t.Context(), d)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return marks(t, tasks)["end"] >= 3 }, patience,
		10*time.Millisecond)
	require.NoError(t, disk.Fill())
	// What is begun of a block of the disk still has room for some.
	counts := marks(t, tasks)
	for before := -1; counts["begin"] > before; counts = marks(t, tasks) {
		before = counts["begin"]
		<-time.After(3 * time.Second)
	}
	require.Less(t, counts["begin"], len(d.Tasks), "the disk was not full")
	require.Eventually(t, func() bool {
		counts := marks(t, tasks)
		return counts["end"] == counts["begin"]
	}, patience, 10*time.Millisecond, "what runs goes on")
	require.NoError(t, disk.Empty())
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	report, err := h.Wait(ctx)
	require.NoError(t, err)
	require.Equal(t, len(d.Tasks), report.Counts[runner.Completed])
	requireOnce(t, tasks, d)
}
