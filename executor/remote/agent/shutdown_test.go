package agent_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote/agent"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
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

// Streams tell how everything has ended that the daemon stops.
func TestShutdownTellsTheEnd(t *testing.T) {
	t.Parallel()
	const most = 64
	h := newHolder()
	d := boot(t, agent.Config{Ephemeral: true, Executor: executor.RunFunc(h.run)})
	l := d.hear(t, "s", "")
	for i := range most {
		require.Equal(t, http.StatusCreated, d.put(t, "s", fmt.Sprint(i), `{"job":{}}`).status)
		d.until(t, fmt.Sprint(i), isRunning)
	}
	close(h.gate("0"))
	d.end(t, "0")
	require.NoError(t, d.Shutdown(t.Context()))
	ends := map[string]*wire.Outcome{}
	for e := range l.events {
		if e.State != nil && e.State.State == wire.Ended {
			ends[e.State.Key] = e.State.Outcome
		}
	}
	require.Len(t, ends, most)
	require.True(t, ends["0"].Result.OK())
	require.Equal(t, wire.StoppedShutdown, ends["1"].Stopped)
}

// They tell as well what was on its way to the disk, and has not been started.
func TestShutdownTellsWhatIsNotStarted(t *testing.T) {
	t.Parallel()
	h := newHolder()
	d, disk := bootFragile(t, t.TempDir(), executor.RunFunc(h.run))
	l := d.hear(t, "s", "")
	slow := make(chan struct{})
	disk.slow.Store(&slow)
	status := d.askAside(t, http.MethodPost, wire.PathTasks, `{"key":"k","job":{}}`+"\n")
	<-slow
	over := make(chan error, 1)
	go func() { over <- d.Shutdown(context.Background()) }()
	require.ErrorContains(t, d.Drain(t.Context()), "ends")
	slow <- struct{}{}
	l.next(t, isState("k", wire.NotStarted))
	require.NoError(t, <-over)
	<-status
	require.Zero(t, h.started("k"))
}
