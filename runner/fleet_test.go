package runner_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/runner"
)

// What only nodes that are away for now could do waits for them, and says so (R6).
func TestNodesThatAreAwayAreWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		node := func(name string, cores int64) capacity.Node {
			return capacity.Node{Name: name, Total: capacity.Resources{dag.Cores: cores}}
		}
		slots := capacity.New(node("a", 2), node("b", 8), capacity.Node{Name: "c", Unknown: true})
		slots.Suspend("b", "unreachable since noon")
		ex := &recorder{slots: slots, do: func(_ context.Context, a *attempt) (result, error) {
			if a.Node != "b" {
				return result{}, errors.New("on node " + a.Node)
			}
			return result{}, nil
		}}
		d := tasks(task("big"))
		d.Tasks[0].Job.Resources = dag.Resources{dag.Cores: 4}
		h, err := (&runner.Runner{Executor: ex}).Start(t.Context(), d)
		require.NoError(t, err)
		synctest.Wait()
		why, err := h.Why("big")
		require.NoError(t, err)
		require.Len(t, why, 1)
		require.Equal(t, runner.WaitsForCapacity, why[0].Kind)
		require.Equal(t, `needs 4 cores, and no node that takes work is big enough; `+
			`node "b" takes none now (unreachable since noon), `+
			`and 1 more that may be big enough do not either: `+
			`"b" takes none now (unreachable since noon); "c" has not said yet what it has; `+
			`"a" has 2 of 2 cores free`, why[0].Text)

		slots.Resume("b")
		report, err := h.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, report.Counts[runner.Completed])
	})
}
