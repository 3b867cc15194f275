package remote_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote"
	"github.com/daggy-go/daggy/executor/remote/agent"
	"github.com/daggy-go/daggy/runner"
)

// Two engines run 10,000 tasks on one daemon, and never more of them at once than it
// has cores, as the tasks count it themselves (C2, E8).
func TestTenThousandTasksOfTwoEngines(t *testing.T) {
	t.Parallel()
	const cores, each = 8, 5000
	var now, peak, ran atomic.Int64
	counting := executor.RunFunc(func(
		_ context.Context, a *executor.Attempt,
	) (executor.Result, error) {
		asks := max(1, a.Job.Resources[dag.Cores])
		for n := now.Add(asks); ; {
			if p := peak.Load(); n <= p || peak.CompareAndSwap(p, n) {
				break
			}
		}
		ran.Add(1)
		now.Add(-asks)
		return executor.Result{}, nil
	})
	daemon, err := agent.New(t.Context(), agent.Config{
		Dir: t.TempDir(), Executor: counting, Node: "n",
		Capacity: capacity.Resources{dag.Cores: cores, dag.MemoryMB: 1},
		Auth:     agent.Auth{InsecureLoopback: true},
	})
	require.NoError(t, err)
	server := httptest.NewServer(daemon)
	t.Cleanup(func() {
		require.NoError(t, daemon.Shutdown(context.Background()))
		server.CloseClientConnections()
		server.Close()
	})
	over := make(chan error, 2)
	for i := range 2 {
		e, err := remote.New(remote.Config{Nodes: []remote.Node{{Name: "n", URL: server.URL}}})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, e.Close()) })
		d := &dag.DAG{}
		for k := range each {
			job := dag.Command("count")
			if asks := int64(k % 4); asks > 0 {
				job.Resources = dag.Resources{dag.Cores: asks}
			}
			d.Tasks = append(d.Tasks, dag.Task{Name: fmt.Sprintf("e%dt%d", i, k), Job: job})
		}
		go func() {
			_, err := (&runner.Runner{Executor: e}).Run(t.Context(), d)
			over <- err
		}()
	}
	require.NoError(t, <-over)
	require.NoError(t, <-over)
	require.EqualValues(t, 2*each, ran.Load(), "each once")
	require.LessOrEqual(t, peak.Load(), int64(cores))
	require.Positive(t, peak.Load())
}
