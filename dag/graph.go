package dag

import (
	"fmt"
	"math"
	"slices"
)

// A Graph is the tasks of a definition as numbers: task i is the one at index
// i in definition order, and edges are between indices. It is what [DAG.Validate]
// checks and a scheduler walks.
//
// A Graph has no cycles and keeps nothing of the tasks but their names. The
// zero Graph has no tasks. Any number of goroutines may read it at once;
// [Graph.Splice] must have it for itself.
type Graph struct {
	names []string
	table nameTable
	// parents and children hold the same edges, seen from either end.
	parents, children adjacency
	edges             int
	// forward: every edge goes from a smaller to a greater index, so that
	// definition order is a topological order and there can be no cycle.
	forward bool
	// marks is scratch space of Splice, see splicer.
	marks []int32
	epoch int32
}

// NewGraph resolves the names in tasks and returns their graph. An edge that is
// given by both of its ends, or twice by one, is one edge.
//
// The error holds a [*Problem] for each name that is malformed, given twice or
// not there, and for each task that depends on itself, and one [*CycleError]
// for each tangle of cycles. Time and memory are linear in the size of tasks.
func NewGraph(tasks []Task) (*Graph, error) {
	var found problems
	g := newGraph(tasks, &found)
	if err := found.err(); err != nil {
		return nil, err
	}
	return g, nil
}

// Graph returns the graph of d's tasks, see [NewGraph].
func (d *DAG) Graph() (*Graph, error) { return NewGraph(d.Tasks) }

func newGraph(tasks []Task, found *problems) *Graph {
	g := &Graph{forward: true}
	if len(tasks) >= math.MaxInt32 {
		found.add(&Problem{Text: fmt.Sprintf("%d tasks are too many", len(tasks))})
		return g
	}
	g.addNames(tasks, found)
	r := references{tasks: tasks, graph: g}
	if !r.resolve(found) {
		return g
	}
	g.connect(&r)
	if !g.forward && !g.acyclic() {
		for _, c := range g.cycles() {
			found.add(c)
		}
	}
	return g
}

func (g *Graph) addNames(tasks []Task, found *problems) {
	g.names = make([]string, len(tasks))
	g.table = newNameTable(len(tasks))
	for i := range tasks {
		name := tasks[i].Name
		g.names[i] = name
		if why := nameProblem(name); why != "" {
			found.add(badName(i, name, why))
			if name == "" {
				continue
			}
		}
		h := g.table.hash(name)
		first, slot := g.table.find(g.names, name, h)
		if first >= 0 {
			found.add(duplicateName(name, int(first), i))
			continue
		}
		g.table.put(i, h, slot)
	}
}

func badName(i int, name, why string) *Problem {
	return &Problem{
		Task: name, Field: "name", Text: why,
		Hint: fmt.Sprintf("it is task %d of the definition", i+1),
	}
}

func duplicateName(name string, first, second int) *Problem {
	return &Problem{
		Task: name, Field: "name",
		Text: fmt.Sprintf("tasks %d and %d of the definition have this name", first+1, second+1),
		Hint: "names are identity: rename one of them",
	}
}

// Len is the number of tasks.
func (g *Graph) Len() int { return len(g.names) }

// Edges is the number of edges.
func (g *Graph) Edges() int { return g.edges }

// Index returns the index of the task with this name, and whether there is one.
func (g *Graph) Index(name string) (int, bool) {
	if len(g.names) == 0 {
		return 0, false
	}
	i, _ := g.table.find(g.names, name, g.table.hash(name))
	return max(0, int(i)), i >= 0
}

// Name returns the name of task i.
func (g *Graph) Name(i int) string { return g.names[i] }

// Parents returns the indices of the tasks that task i waits for, in ascending
// order. The slice belongs to the graph and must not be altered; a later Splice
// leaves it as it is.
func (g *Graph) Parents(i int) []int32 { return g.parents.of(i) }

// Children returns the indices of the tasks that wait for task i, on the terms
// of [Graph.Parents].
func (g *Graph) Children(i int) []int32 { return g.children.of(i) }

// An adjacency is a list of indices for each task, in compressed sparse rows.
type adjacency struct {
	// The list of task i is flat[starts[i]:starts[i+1]]. Both are nil as long
	// as no task has a list.
	starts []int32
	flat   []int32
	// grown has the lists of tasks that got more after they were laid out.
	grown map[int32][]int32
}

func (a *adjacency) of(i int) []int32 {
	if len(a.grown) > 0 {
		if list, ok := a.grown[int32(i)]; ok {
			return list[:len(list):len(list)]
		}
	}
	if a.starts == nil {
		return nil
	}
	from, to := a.starts[i], a.starts[i+1]
	return a.flat[from:to:to]
}

// transpose returns the same edges seen from the other end, for n tasks. Its
// lists are sorted, whatever the order of a's are, and hold an edge once.
func (a *adjacency) transpose(n int) adjacency {
	starts := make([]int32, n+1)
	for _, j := range a.flat {
		starts[j+1]++
	}
	for j := range n {
		starts[j+1] += starts[j]
	}
	flat, ends := make([]int32, len(a.flat)), slices.Clone(starts[:n])
	for i := range n {
		for _, j := range a.flat[a.starts[i]:a.starts[i+1]] {
			// Rows come in order, so that a second edge follows the first.
			at := ends[j]
			if at > starts[j] && flat[at-1] == int32(i) {
				continue
			}
			flat[at] = int32(i)
			ends[j] = at + 1
		}
	}
	t := adjacency{starts: starts, flat: flat}
	t.compact(ends)
	return t
}

// compact closes the gaps between lists that end at ends.
func (a *adjacency) compact(ends []int32) {
	at := int32(0)
	for i, end := range ends {
		from := a.starts[i]
		if from != at {
			copy(a.flat[at:], a.flat[from:end])
		}
		a.starts[i] = at
		at += end - from
	}
	a.starts[len(ends)] = at
	if int(at) < len(a.flat) {
		a.flat = slices.Clone(a.flat[:at])
	}
}
