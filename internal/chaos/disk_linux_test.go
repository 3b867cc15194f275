package chaos_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/internal/chaos"
)

func TestDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	disk, err := chaos.MountDisk(dir)
	if errors.Is(err, unix.EPERM) {
		t.Skip("this process may not mount disks")
	}
	require.NoError(t, err)
	defer func() { require.NoError(t, disk.Unmount()) }()
	require.NoError(t, disk.Empty(), "there is nothing to empty")
	write := func() error { return os.WriteFile(filepath.Join(dir, "file"), []byte("text"), 0o600) }
	for range 2 {
		require.NoError(t, disk.Fill())
		require.ErrorIs(t, write(), unix.ENOSPC)
		require.NoError(t, disk.Empty())
		require.NoError(t, write())
		require.NoError(t, os.Remove(filepath.Join(dir, "file")))
	}
}
