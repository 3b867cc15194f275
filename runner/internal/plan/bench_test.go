package plan_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/runner/internal/plan"
	"github.com/daggy-go/daggy/statelog"
)

// BenchmarkPlan drives the plan alone through a whole run, two events a task.
func BenchmarkPlan(b *testing.B) {
	for _, shape := range []struct {
		name    string
		parents func(i int) []int
		tasks   int
	}{
		{"wide", func(int) []int { return nil }, 1_000_000},
		{"chain", func(i int) []int { return []int{i - 1} }, 100_000},
		{"tree", func(i int) []int { return []int{(i - 1) / 2} }, 100_000},
		{"layered", layered, 100_000},
	} {
		b.Run(fmt.Sprintf("shape=%s/tasks=%d", shape.name, shape.tasks), func(b *testing.B) {
			graph, tasks := build(b, shape.tasks, shape.parents)
			b.ReportAllocs()
			events := 0
			for b.Loop() {
				b.StopTimer()
				p := plan.New(plan.Config{
					Graph: graph, Tasks: tasks,
					Groups: []plan.Group{{}}, Pools: []plan.Pool{{Slots: 64}},
				})
				b.StartTimer()
				events += drive(p)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
		})
	}
}

func layered(i int) []int {
	if i < 10 {
		return nil
	}
	layer := i / 10 * 10
	parents := make([]int, 10)
	for k := range parents {
		parents[k] = layer - 10 + k
	}
	return parents
}

func build(tb testing.TB, n int, parents func(int) []int) (*dag.Graph, []plan.Task) {
	tb.Helper()
	tasks := make([]dag.Task, n)
	for i := range tasks {
		tasks[i].Name = fmt.Sprint("t", i)
		for _, p := range parents(i) {
			if p >= 0 && p != i {
				tasks[i].Parents = append(tasks[i].Parents, tasks[p].Name)
			}
		}
	}
	graph, err := dag.NewGraph(tasks)
	require.NoError(tb, err)
	planned := make([]plan.Task, n)
	for i := range planned {
		planned[i].Instances = 1
	}
	return graph, planned
}

// drive runs everything at once and returns the number of events.
func drive(p *plan.Plan) int {
	now := time.Unix(1, 0)
	ok := plan.Outcome{Class: statelog.Success}
	p.Begin(now)
	events := 0
	var ids []plan.ID
	for {
		batch := p.Take()
		for _, a := range batch.Actions {
			if a.Kind == plan.Start {
				p.Running(a.ID)
				ids = append(ids, a.ID)
			}
		}
		p.Recycle(batch)
		if len(ids) == 0 {
			return events
		}
		for _, id := range ids {
			p.Finish(now, id, &ok)
			events += 2
		}
		ids = ids[:0]
	}
}
