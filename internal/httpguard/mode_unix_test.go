//go:build unix

package httpguard_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/httpguard"
)

func TestTokenFileOfOthers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokens")
	writeTokens(t, path, "submit "+first)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o601} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := httpguard.New(httpguard.Config{Auth: httpguard.Auth{TokenFile: path}})
		require.ErrorContains(t, err, "chmod 0600 "+path, "%o", mode)
	}
	require.NoError(t, os.Chmod(path, 0o400))
	_, err := httpguard.New(httpguard.Config{Auth: httpguard.Auth{TokenFile: path}})
	require.NoError(t, err)
	_, err = httpguard.New(httpguard.Config{Auth: httpguard.Auth{TokenFile: t.TempDir()}})
	require.ErrorContains(t, err, "directory")
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chown(path, 1, -1))
		_, err = httpguard.New(httpguard.Config{Auth: httpguard.Auth{TokenFile: path}})
		require.ErrorContains(t, err, "belongs to user 1")
	}
}
