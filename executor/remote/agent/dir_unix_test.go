//go:build unix

package agent_test

import (
	"errors"
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
	elsewhere := t.TempDir()
	for name, c := range map[string]struct {
		prepare func(dir string) error
		want    string
	}{
		"all can write to it": {
			func(dir string) error { return os.Chmod(dir, 0o777) }, "chmod o-w",
		},
		"as with temporary files": {
			func(dir string) error { return os.Chmod(dir, 0o777|os.ModeSticky) }, "chmod o-w",
		},
		"all see the outputs": {
			func(dir string) error { return makeOpen(dir, "outputs") }, "chmod 700",
		},
		"all see the journal": {
			func(dir string) error { return makeOpen(dir, "journal") }, "chmod 700",
		},
		"outputs are elsewhere": {func(dir string) error {
			return os.Symlink(elsewhere, filepath.Join(dir, "outputs"))
		}, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, c.prepare(dir))
			_, err := agent.New(t.Context(), agent.Config{
				Dir: dir, Executor: executor.RunFunc(nothing),
			})
			require.ErrorContains(t, err, "Config.Dir")
			require.ErrorContains(t, err, c.want)
		})
	}
}

func makeOpen(dir, name string) error {
	path := filepath.Join(dir, name)
	return errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, 0o755))
}
