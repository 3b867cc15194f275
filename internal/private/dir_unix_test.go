//go:build unix

package private_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/private"
)

func TestDir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	require.NoError(t, private.Dir(dir))
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(dir, link))
	require.ErrorContains(t, private.Dir(link), "not a directory")
	require.ErrorIs(t, private.Dir(filepath.Join(dir, "none")), os.ErrNotExist)
	require.NoError(t, os.Chmod(dir, 0o750))
	require.ErrorContains(t, private.Dir(dir), "chmod 700")
	require.NoError(t, private.Parent(dir))
	require.NoError(t, os.Chmod(dir, 0o777|os.ModeSticky))
	require.ErrorContains(t, private.Parent(dir), "chmod o-w")
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chmod(dir, 0o700))
		require.NoError(t, os.Chown(dir, 1, -1))
		require.ErrorContains(t, private.Dir(dir), "user 1")
	}
}
