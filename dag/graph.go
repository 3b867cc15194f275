package dag

import "fmt"

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
	g := newGraph(tasks, &found, nil)
	if err := found.err(); err != nil {
		return nil, err
	}
	return g, nil
}

// Graph returns the graph of d's tasks, see [NewGraph].
func (d *DAG) Graph() (*Graph, error) { return NewGraph(d.Tasks) }

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
