package agent_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote/agent"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// Two engines that know nothing of each other have 10,000 tasks run by one daemon:
// there are never more at once than it has room for (C2), as the tasks see it, and
// each starts once.
func TestNeverMoreThanThereIs(t *testing.T) {
	t.Parallel()
	const cores, tasks, engines = 7, 5000, 2
	var used, most atomic.Int64
	var mu sync.Mutex
	starts := map[string]int{}
	d := boot(t, agent.Config{
		Ephemeral: true, // so that it is not the disk that keeps it from more
		Capacity:  capacity.Resources{dag.Cores: cores},
		Executor: executor.RunFunc(
			func(_ context.Context, at *executor.Attempt) (executor.Result, error) {
				n := at.Job.Resources[dag.Cores]
				now := used.Add(n)
				defer used.Add(-n)
				for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); {
					seen = most.Load()
				}
				mu.Lock()
				starts[at.Key]++
				mu.Unlock()
				return executor.Result{}, nil
			}),
	})
	var running sync.WaitGroup
	for e := range engines {
		running.Go(func() { d.submitUntilTaken(t, fmt.Sprintf("engine%d", e), tasks) })
	}
	running.Wait()
	for e := range engines {
		d.end(t, fmt.Sprintf("engine%d-0-%d-1", e, tasks-1))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, d.Drain(ctx))
	require.LessOrEqual(t, most.Load(), int64(cores))
	require.Len(t, starts, engines*tasks)
	for key, n := range starts {
		require.Equal(t, 1, n, key)
	}
}

// submitUntilTaken submits tasks in batches, and those that were refused again.
func (d *daemon) submitUntilTaken(tb testing.TB, engine string, tasks int) {
	tb.Helper()
	const batch = 20
	waiting := make([]int, tasks)
	for i := range waiting {
		waiting[i] = i
	}
	for len(waiting) > 0 {
		some := waiting[:min(batch, len(waiting))]
		var body strings.Builder
		for _, i := range some {
			_, _ = fmt.Fprintf(&body, `{"key":"%s-0-%d-1","job":{"resources":{"cores":%d}}}`+"\n",
				engine, i, 1+i%3)
		}
		got := d.ask(tb, engine, http.MethodPost, wire.PathTasks, body.String())
		var refused []int
		for n, line := range strings.Split(strings.TrimSpace(string(got.body)), "\n") {
			a, err := wire.ParseAnswer([]byte(line))
			switch {
			case err == nil && a.Status == http.StatusTooManyRequests:
				refused = append(refused, some[n])
			case err != nil || a.Status != http.StatusCreated:
				panic(fmt.Sprintf("%s: %v", line, err))
			}
		}
		waiting = append(refused, waiting[len(some):]...)
	}
}
