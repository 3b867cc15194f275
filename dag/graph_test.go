package dag_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/go-multierror"
	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
)

// messages returns the elements of a collected error as text.
func messages(err error) []string {
	var all []string
	if multi, ok := errors.AsType[*multierror.Error](err); ok {
		for _, e := range multi.Errors {
			all = append(all, e.Error())
		}
	}
	return all
}

// collected returns the problems in a collected error.
func collected(err error) []*dag.Problem {
	var all []*dag.Problem
	if multi, ok := errors.AsType[*multierror.Error](err); ok {
		for _, e := range multi.Errors {
			if p, ok := errors.AsType[*dag.Problem](e); ok {
				all = append(all, p)
			}
		}
	}
	return all
}

func names(g *dag.Graph, indices []int32) []string {
	list := []string{}
	for _, i := range indices {
		list = append(list, g.Name(int(i)))
	}
	return list
}

func TestGraph(t *testing.T) {
	t.Parallel()
	g, err := dag.NewGraph([]dag.Task{
		{Name: "report", Parents: []string{"b", "a", "b"}},
		{Name: "a", Children: []string{"report", "b"}},
		{Name: "b", Parents: []string{"a"}},
		{Name: "alone"},
	})
	require.NoError(t, err)
	require.Equal(t, 4, g.Len())
	require.Equal(t, 3, g.Edges(), "D1: an edge from both ends is one edge")
	require.Equal(t, []int32{1, 2}, g.Parents(0))
	require.Empty(t, g.Children(0))
	require.Equal(t, []int32{0, 2}, g.Children(1))
	require.Equal(t, []string{"a"}, names(g, g.Parents(2)))
	require.Empty(t, g.Parents(3))
	require.Equal(t, []int{1, 2, 0, 3}, slices.Collect(g.Order()))
	require.Equal(t, []int{1, 2}, slices.Collect(g.Ancestors(0)))
	require.Equal(t, []int{0, 2}, slices.Collect(g.Descendants(1)))

	i, ok := g.Index("b")
	require.True(t, ok)
	require.Equal(t, 2, i)
	_, ok = g.Index("c")
	require.False(t, ok)
}

func TestGraphZero(t *testing.T) {
	t.Parallel()
	var g dag.Graph
	_, ok := g.Index("a")
	require.False(t, ok)
	require.Empty(t, slices.Collect(g.Order()))
	require.ErrorIs(t, g.Splice(0, nil), dag.ErrInvalid)
}

// model is the naive graph that Graph is compared with.
type model struct {
	names    []string
	parents  map[string]map[string]bool
	children map[string]map[string]bool
}

func newModel() *model {
	return &model{
		parents:  map[string]map[string]bool{},
		children: map[string]map[string]bool{},
	}
}

func (m *model) clone() *model {
	c := newModel()
	for _, name := range m.names {
		c.addName(name)
	}
	for child, parents := range m.parents {
		for parent := range parents {
			c.addEdge(parent, child)
		}
	}
	return c
}

func (m *model) addName(name string) bool {
	if name == "" || m.parents[name] != nil {
		return false
	}
	m.names = append(m.names, name)
	m.parents[name], m.children[name] = map[string]bool{}, map[string]bool{}
	return true
}

func (m *model) addEdge(parent, child string) bool {
	if parent == child || m.parents[parent] == nil || m.parents[child] == nil {
		return false
	}
	m.parents[child][parent], m.children[parent][child] = true, true
	return true
}

// add reports whether the tasks are good; if not, m is unusable.
func (m *model) add(tasks []dag.Task, generator string) bool {
	good := true
	for _, t := range tasks {
		good = m.addName(t.Name) && good
	}
	for _, t := range tasks {
		if generator != "" {
			good = m.addEdge(generator, t.Name) && good
		}
		for _, p := range t.Parents {
			good = m.addEdge(p, t.Name) && good
		}
		for _, c := range t.Children {
			good = m.addEdge(t.Name, c) && good
		}
	}
	return good && m.acyclic()
}

func (m *model) acyclic() bool {
	const open, closed = 1, 2
	state := map[string]int{}
	var visit func(name string) bool
	visit = func(name string) bool {
		if state[name] != 0 {
			return state[name] == closed
		}
		state[name] = open
		for child := range m.children[name] {
			if !visit(child) {
				return false
			}
		}
		state[name] = closed
		return true
	}
	for _, name := range m.names {
		if !visit(name) {
			return false
		}
	}
	return true
}

// order is the topological order that takes the first ready task each time.
func (m *model) order() []int {
	var order []int
	taken := map[string]bool{}
	for range m.names {
		for i, name := range m.names {
			ready := !taken[name]
			for p := range m.parents[name] {
				ready = ready && taken[p]
			}
			if ready {
				taken[name] = true
				order = append(order, i)
				break
			}
		}
	}
	return order
}

func (m *model) requireEqual(t *testing.T, g *dag.Graph) {
	t.Helper()
	require.Equal(t, len(m.names), g.Len())
	edges := 0
	for i, name := range m.names {
		require.Equal(t, name, g.Name(i))
		at, ok := g.Index(name)
		require.True(t, ok)
		require.Equal(t, i, at)
		requireList(t, m.parents[name], g, g.Parents(i))
		requireList(t, m.children[name], g, g.Children(i))
		edges += len(m.parents[name])
	}
	require.Equal(t, edges, g.Edges())
	require.Equal(t, m.order(), slices.Collect(g.Order()))
}

func requireList(t *testing.T, want map[string]bool, g *dag.Graph, got []int32) {
	t.Helper()
	require.True(t, slices.IsSorted(got))
	require.Len(t, got, len(want))
	for _, i := range got {
		require.True(t, want[g.Name(int(i))])
	}
}

// randomTasks makes n tasks that refer to themselves and to known names. Of
// their edges a share of backward in 100 goes against the order of definition.
func randomTasks(r *rand.Rand, known []string, n, backward int) []dag.Task {
	all := slices.Clone(known)
	tasks := make([]dag.Task, n)
	for i := range tasks {
		tasks[i].Name = "t" + strconv.Itoa(len(known)+i)
		all = append(all, tasks[i].Name)
	}
	for i := range tasks {
		for range r.IntN(4) {
			other := all[r.IntN(len(known)+i+1)]
			switch {
			case other == tasks[i].Name:
			case r.IntN(100) < backward:
				tasks[i].Children = append(tasks[i].Children, other)
			default:
				tasks[i].Parents = append(tasks[i].Parents, other)
			}
		}
	}
	return tasks
}

// Graph and the naive model agree on random definitions and splices.
func TestGraphModel(t *testing.T) {
	t.Parallel()
	refused, accepted := 0, 0
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		backward := int(seed % 30)
		tasks := randomTasks(r, nil, 1+r.IntN(20), backward)
		m := newModel()
		good := m.add(tasks, "")
		g, err := dag.NewGraph(tasks)
		require.Equal(t, good, err == nil, "seed %d: %v", seed, err)
		if !good {
			refused++
			continue
		}
		m.requireEqual(t, g)
		for range 8 {
			generator := r.IntN(g.Len())
			more := randomTasks(r, m.names, r.IntN(6), backward)
			if r.IntN(5) == 0 && len(more) > 0 {
				more[r.IntN(len(more))].Name = m.names[0]
			}
			after := m.clone()
			good := after.add(more, m.names[generator])
			err := g.Splice(generator, more)
			require.Equal(t, good, err == nil, "seed %d: %v", seed, err)
			if good {
				m = after
				accepted++
			} else {
				refused++
			}
			m.requireEqual(t, g)
		}
	}
	require.Greater(t, refused, 100)
	require.Greater(t, accepted, 100)
}

// Many names are looked up by several goroutines; the result is the same.
// Numbers at the end of names are good for guesses, and for nothing else.
func TestGraphNumberedNames(t *testing.T) {
	t.Parallel()
	most := strings.Repeat("9", dag.MaxName)
	g, err := dag.NewGraph([]dag.Task{
		{Name: "7"},
		{Name: "a_1"},
		{Name: "a_01", Parents: []string{"a_1", "7"}},
		{Name: "a_3", Parents: []string{most, "a_01"}},
		{Name: most, Parents: []string{"b_4294967297"}},
		{Name: "b_4294967297", Parents: []string{"7"}},
		{Name: "b_1", Parents: []string{"b_4294967297", "a_1"}},
		{Name: "last", Parents: []string{"b_1", "a_3"}},
	})
	require.NoError(t, err)
	for child, parents := range [][]string{
		{},
		{},
		{"7", "a_1"},
		{"a_01", most},
		{"b_4294967297"},
		{"7"},
		{"a_1", "b_4294967297"},
		{"a_3", "b_1"},
	} {
		require.Equal(t, parents, names(g, g.Parents(child)), g.Name(child))
	}
}

func TestGraphLarge(t *testing.T) {
	t.Parallel()
	tasks := layered(60_000, 50, 3)
	tasks[59_999].Children = []string{}
	g, err := dag.NewGraph(tasks)
	require.NoError(t, err)
	require.Equal(t, (60_000-50)*3, g.Edges())
	for i := 50; i < g.Len(); i++ {
		require.Len(t, g.Parents(i), 3)
		for _, p := range g.Parents(i) {
			require.Equal(t, i/50-1, int(p)/50)
		}
	}

	tasks[59_999].Parents = []string{"task-59998", "tusk-1"}
	_, err = dag.NewGraph(tasks)
	require.Equal(t, []string{
		`task "task-59999": parents[1]: no task is named "tusk-1"; did you mean "task-1"?`,
	}, messages(err))
}

// A cycle of a million tasks neither overflows a stack nor floods the message.
func TestGraphLongCycle(t *testing.T) {
	t.Parallel()
	const n = 1_000_000
	tasks := reversed(n)
	tasks[n-1].Parents = []string{"task-0"}
	_, err := dag.NewGraph(tasks)
	var cycle *dag.CycleError
	require.ErrorAs(t, err, &cycle)
	require.Len(t, cycle.Path, n+1)
	require.Less(t, len(err.Error()), 1000)
	require.True(t, strings.HasPrefix(cycle.Error(), "cycle: task-0 → task-999999 → task-999998 →"))
	require.Contains(t, cycle.Error(), "… 999985 more …")
}
