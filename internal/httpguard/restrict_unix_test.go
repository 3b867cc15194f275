//go:build unix

package httpguard_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/httpguard"
)

func TestUnixSocketIsPrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "daggy.sock")
	insecure := httpguard.Auth{InsecureLoopback: true}
	start(t, insecure, httpguard.Listening{Address: "unix:" + path}, hello())
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}
