package agent_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote/agent"
)

// Who did not wait long enough for the end may wait for it again, and then the directory
// is free.
func TestShutdownAgain(t *testing.T) {
	t.Parallel()
	h := newHolder()
	c := agent.Config{Dir: t.TempDir(), Executor: executor.RunFunc(
		func(_ context.Context, at *executor.Attempt) (executor.Result, error) {
			return h.run(context.Background(), at) // it cannot be stopped
		})}
	d := boot(t, c)
	require.Equal(t, http.StatusCreated, d.put(t, "s", "k", `{"job":{}}`).status)
	d.until(t, "k", isRunning)
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, d.Shutdown(impatient), context.Canceled)
	close(h.gate("k"))
	require.NoError(t, d.Shutdown(t.Context()))
	d = boot(t, c)
	require.True(t, d.end(t, "k").Outcome.Result.OK())
}
