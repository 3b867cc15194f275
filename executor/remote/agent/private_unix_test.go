//go:build unix

package agent_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote/agent"
)

// What others can put things into, or look into, is no place for outputs and a journal
// (S3).
func TestDirectoryOfOthers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(t *testing.T, dir string)
		want    string
	}{
		"all can write to it": {func(t *testing.T, dir string) {
			require.NoError(t, os.Chmod(dir, 0o777))
		}, "chmod o-w"},
		"as with temporary files": {func(t *testing.T, dir string) {
			require.NoError(t, os.Chmod(dir, 0o777|os.ModeSticky))
		}, "chmod o-w"},
		"all see the outputs": {func(t *testing.T, dir string) {
			makeOpen(t, filepath.Join(dir, "outputs"))
		}, "chmod 700"},
		"all see the journal": {func(t *testing.T, dir string) {
			makeOpen(t, filepath.Join(dir, "journal"))
		}, "chmod 700"},
		"outputs are elsewhere": {func(t *testing.T, dir string) {
			require.NoError(t, os.Symlink(t.TempDir(), filepath.Join(dir, "outputs")))
		}, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			c.prepare(t, dir)
			_, err := agent.New(t.Context(), agent.Config{
				Dir: dir, Executor: executor.RunFunc(nothing),
			})
			require.ErrorContains(t, err, "Config.Dir")
			require.ErrorContains(t, err, c.want)
		})
	}
}

func makeOpen(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.Chmod(dir, 0o755))
}
