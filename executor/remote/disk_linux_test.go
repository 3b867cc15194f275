package remote_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/executor/remote"
	"github.com/daggy-go/daggy/runner"
)

// On a daemon whose disk is really full nothing new starts, and what runs goes on. When
// there is room again so does everything else: no task has failed, and each ran once.
func TestDiskIsFull(t *testing.T) { // L5
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can have a disk that is full")
	}
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=4m,mode=700"); err != nil {
		t.Skip("no disk can be made here:", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(disk, unix.MNT_DETACH)) })
	m := bootAs(t, daemonConfig{Node: "a", Capacity: cores(3), Dir: filepath.Join(disk, "a")})
	e := fleet(t, remote.Config{}, m)
	dir := t.TempDir()
	d := marking(dir, 80, 200*time.Millisecond)
	h, err := (&runner.Runner{Executor: e}).Start(t.Context(), d)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return marks(t, dir)["end"] >= 3 }, patience,
		10*time.Millisecond)
	filler := filepath.Join(disk, "filler")
	fill(t, filler)
	// What is begun of a block of the disk still has room for some.
	counts := marks(t, dir)
	for before := -1; counts["begin"] > before; counts = marks(t, dir) {
		before = counts["begin"]
		<-time.After(3 * time.Second)
	}
	require.Less(t, counts["begin"], len(d.Tasks), "the disk was not full")
	require.Eventually(t, func() bool {
		counts := marks(t, dir)
		return counts["end"] == counts["begin"]
	}, patience, 10*time.Millisecond, "what runs goes on")
	require.NoError(t, os.Remove(filler))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	report, err := h.Wait(ctx)
	require.NoError(t, err)
	require.Equal(t, len(d.Tasks), report.Counts[runner.Completed])
	requireOnce(t, dir, d)
}

// fill takes all that is left of a disk.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			require.ErrorIs(t, err, unix.ENOSPC)
			size /= 2
		}
	}
	_ = f.Close() // it has nothing to say that was not said
}
