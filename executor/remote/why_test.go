package remote_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/remote"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
	"github.com/daggy-go/daggy/runner"
)

// A task that waits says of each node why it does not go there (R6), and goes where it
// can as soon as it can.
func TestWhyAcrossNodes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		away, drains, full, small := newDaemon(t, "away"), newDaemon(t, "drains"),
			newDaemon(t, "full"), newDaemon(t, "small")
		small.health.Capacity.Total, small.health.Capacity.Free = cores(1), cores(1)
		e := open(t, remote.Config{}, away, drains, full, small)
		require.NoError(t, e.Await(t.Context()))
		away.leaves()
		drains.set(func() { drains.health.Capacity.Draining = true })
		full.set(func() { full.health.Capacity.Free = cores(1) }) // others have three
		synctest.Wait()

		job := dag.Command("true")
		job.Resources = capacity.Resources{dag.Cores: 2}
		r := &runner.Runner{Executor: e}
		h, err := r.Start(t.Context(), &dag.DAG{Tasks: []dag.Task{{Name: "t", Job: job}}})
		require.NoError(t, err)
		synctest.Wait()
		why, err := h.Why("t")
		require.NoError(t, err)
		require.Len(t, why, 1)
		require.Equal(t, runner.WaitsForCapacity, why[0].Kind)
		for _, want := range []string{
			"needs 2 cores, at most 1 are free",
			`"away" takes none now (not reached since`,
			`"drains" takes none now (it is being drained)`,
			`"full" has 1 of 4 cores free`,
			`"small" has 1 of 1 cores free`,
		} {
			require.Contains(t, why[0].Text, want)
		}

		full.set(func() { full.health.Capacity.Free = cores(4) })
		synctest.Wait()
		full.mu.Lock()
		keys := slices.Collect(maps.Keys(full.tasks))
		full.mu.Unlock()
		require.Len(t, keys, 1)
		full.ends(keys[0], wire.Outcome{Inline: true})
		report, err := h.Wait(t.Context())
		require.NoError(t, err)
		task, _ := report.Task("t")
		require.Equal(t, "full", task.Node)

		// What no node can ever do fails at once, although one is away.
		job.Resources = capacity.Resources{dag.Cores: 5}
		_, err = r.Run(t.Context(), &dag.DAG{Tasks: []dag.Task{{Name: "t", Job: job}}})
		require.ErrorIs(t, err, dag.ErrInvalid)
		require.ErrorContains(t, err, "needs 5 cores, the largest node has 4")
	})
}

// 1,000 attempts that run on 100 nodes cost one request a node for each renewal, and
// nothing else.
func TestIdleCost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const nodes, each = 100, 10
		var daemons []*daemon
		for i := range nodes {
			d := newDaemon(t, fmt.Sprintf("n%d", i))
			d.health.Capacity.Total, d.health.Capacity.Free = cores(each), cores(each)
			daemons = append(daemons, d)
		}
		e := open(t, remote.Config{Lease: time.Minute}, daemons...)
		synctest.Wait()
		for i := range nodes * each {
			start(t, e, daemons[i%nodes].name, fmt.Sprintf("k%d", i))
		}
		synctest.Wait()
		for i := range nodes * each {
			daemons[i%nodes].runs(fmt.Sprintf("k%d", i))
		}
		sleep(time.Minute) // conversations have ended
		before := make([]int, nodes)
		for i, d := range daemons {
			before[i] = len(d.log())
		}
		const minutes = 10
		sleep(minutes * time.Minute)
		for i, d := range daemons {
			asked := d.log()[before[i]:]
			require.LessOrEqual(t, len(asked), 6*minutes+1, "%v", asked)
			for _, what := range asked {
				require.Equal(t, "POST /api/v1/renew", what)
			}
		}
	})
}
