package plan_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/runner/internal/plan"
	"github.com/daggy-go/daggy/statelog"
)

var noon = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

func newPlan(t *testing.T, tasks ...dag.Task) (*dag.Graph, *plan.Plan) {
	t.Helper()
	graph, err := dag.NewGraph(tasks)
	require.NoError(t, err)
	c := plan.Config{
		Graph: graph, Groups: []plan.Group{{}}, Pools: []plan.Pool{{Slots: 10}},
	}
	for range tasks {
		c.Tasks = append(c.Tasks, plan.Task{Instances: 1})
	}
	return graph, plan.New(c)
}

func opens(p *plan.Plan) map[int]plan.ID {
	ids := map[int]plan.ID{}
	for id, a := range p.Opens {
		ids[a.Task] = id
	}
	return ids
}

// What was withdrawn because another parent was added starts when that has
// completed, also if another engine goes on with the run meanwhile (D8, L4).
func TestWithdrawnAttemptStartsAfterRestart(t *testing.T) {
	t.Parallel()
	made := []dag.Task{{Name: "made", Children: []string{"late"}}}
	graph, p := newPlan(t, dag.Task{Name: "generator"}, dag.Task{Name: "late"})
	p.Begin(noon)
	require.NoError(t, graph.Splice(0, made))
	p.Finish(noon, opens(p)[0], &plan.Outcome{
		Output: []byte("{}"), Splice: []plan.Task{{Instances: 1}},
		Withdraw: []plan.ID{opens(p)[1]},
	})
	records := p.Take().Records
	require.Equal(t, map[int]plan.ID{2: opens(p)[2]}, opens(p), "only the new task is open")

	graph, p = newPlan(t, dag.Task{Name: "generator"}, dag.Task{Name: "late"})
	require.NoError(t, p.Apply(&statelog.Record{Kind: statelog.Opened, Time: noon}, nil))
	for i := range records {
		var splice []plan.Task
		if records[i].Output != nil {
			require.NoError(t, graph.Splice(0, made))
			splice = []plan.Task{{Instances: 1}}
		}
		require.NoError(t, p.Apply(&records[i], splice))
	}
	require.NoError(t, p.Apply(&statelog.Record{Kind: statelog.Resumed, Time: noon}, nil))
	p.Restart(noon)
	p.Tick(noon)
	p.Finish(noon, opens(p)[2], &plan.Outcome{})
	require.Contains(t, opens(p), 1)
	require.False(t, p.Closed())
}

// Nothing follows the last record of an engine.
func TestNothingFollowsTheEnd(t *testing.T) { // L1
	t.Parallel()
	graph, err := dag.NewGraph([]dag.Task{{Name: "barrier"}})
	require.NoError(t, err)
	p := plan.New(plan.Config{
		Graph: graph, Groups: []plan.Group{{}}, Pools: []plan.Pool{{Slots: 1}},
		Tasks: []plan.Task{{
			Instances: 1, Barrier: true,
			Policy: &plan.Policy{NotBefore: noon.Add(time.Hour).UnixNano()},
		}},
	})
	require.NoError(t, p.Apply(&statelog.Record{Kind: statelog.Opened, Time: noon}, nil))
	p.Begin(noon)
	p.Interrupt(noon)
	records := p.Take().Records
	require.Len(t, records, 1)
	require.Equal(t, statelog.Detached, records[0].Kind)
	_, waits := p.Timer()
	require.False(t, waits)
	p.Tick(noon.Add(2 * time.Hour))
	require.False(t, p.Pending())
}
