package agent_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote/agent"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// The file of an output that did not fit on the disk goes when it is acknowledged.
func TestFileOfAnOutputThatCannotBeKept(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2*wire.MaxInline)
	for name, parts := range map[string][]string{
		"at once": {long}, "later": {"begin", long},
	} {
		dir := t.TempDir()
		d := boot(t, agent.Config{Dir: dir, Executor: executor.RunFunc(
			func(_ context.Context, at *executor.Attempt) (executor.Result, error) {
				for _, part := range parts {
					_, _ = at.Stdout.Write([]byte(part))
				}
				return executor.Result{}, nil
			})})
		file := filepath.Join(dir, "outputs", "k.1")
		require.NoError(t, os.Symlink("/dev/full", file))
		require.Equal(t, http.StatusCreated, d.put(t, "s", "k", `{"job":{}}`).status)
		require.NotNil(t, d.end(t, "k").Outcome.Failure, name)
		got := d.ask(t, "s", http.MethodPost, wire.PathAck, `{"keys":["k"]}`)
		require.Equal(t, http.StatusOK, got.status)
		_, err := os.Lstat(file)
		require.ErrorIs(t, err, os.ErrNotExist, name)
	}
}
