package dag

import (
	"fmt"
	"math"
	"slices"
)

// Splice adds tasks that generator, a task of the graph, has made. They get
// the indices from Len on, in order. Each has the generator as a parent, and
// those parents and children that it names itself among all tasks, old and new;
// nothing is inherited. There is no edge between two old tasks that was not
// there before.
//
// It is all or nothing: on error, which is as that of [NewGraph], the graph is
// as before. Slices that [Graph.Parents] and [Graph.Children] gave out stay
// valid either way, but no goroutine may read the graph meanwhile.
//
// Its cost is that of the new tasks and edges and, if a new task has an old one
// as a child, of what depends on that; the size of the graph does not matter
// (amortized, as for append).
func (g *Graph) Splice(generator int, tasks []Task) error {
	var found problems
	if generator < 0 || generator >= g.Len() {
		found.add(&Problem{Text: fmt.Sprintf("no task has index %d, to splice after", generator)})
		return found.err()
	}
	g.splice(generator, tasks, &found)
	return found.err()
}

// splice is Splice that adds to problems, and does nothing if there are any.
func (g *Graph) splice(generator int, tasks []Task, found *problems) {
	if len(tasks) >= math.MaxInt32-g.Len() {
		found.add(&Problem{Text: fmt.Sprintf("%d more tasks are too many", len(tasks))})
		return
	}
	s := newSplicer(g, generator)
	s.addNames(tasks, found)
	r := references{tasks: tasks, from: s.old, starts: make([]int32, len(tasks)+1)}
	for i := range tasks {
		r.starts[i+1] = int32(len(tasks[i].Parents) + len(tasks[i].Children))
	}
	if !r.resolve(g, found) {
		r.tasks = nil
	}
	s.connect(&r, len(tasks))
	if !s.forward {
		for _, c := range s.cycles() {
			found.add(c)
		}
	}
	if !found.empty() {
		s.undo()
		return
	}
	g.forward = g.forward && s.forward
}

// A splicer adds tasks to a graph and can take them away again.
type splicer struct {
	graph     *Graph
	generator int32
	old       int // number of tasks before
	edges     int // number of edges before
	// forward: all new edges go from a smaller to a greater index.
	forward           bool
	parents, children growth
}

func newSplicer(g *Graph, generator int) *splicer {
	n := g.Len()
	return &splicer{
		graph: g, generator: int32(generator), old: n, edges: g.edges, forward: true,
		parents: newGrowth(&g.parents, n), children: newGrowth(&g.children, n),
	}
}

func (s *splicer) addNames(tasks []Task, found *problems) {
	g := s.graph
	g.table.reserve(g.names, len(tasks))
	for i := range tasks {
		name := tasks[i].Name
		g.names = append(g.names, name)
		if why := nameProblem(name); why != "" {
			found.add(badName(i, name, why))
			if name == "" {
				continue
			}
		}
		h := g.table.hash(name)
		first, slot := g.table.find(g.names, name, h)
		switch {
		case first < 0:
			g.table.put(s.old+i, h, slot)
		case int(first) < s.old:
			found.add(&Problem{
				Task: name, Field: "name", Text: "the DAG already has a task of this name",
				Hint: "names are identity: choose another",
			})
		default:
			found.add(duplicateName(name, int(first)-s.old, i))
		}
	}
}

// connect adds the edges of n new tasks.
func (s *splicer) connect(r *references, n int) {
	// An edge is a number: its ends, the one whose list it goes into first.
	byParent := make([]uint64, 0, n+len(r.flat))
	for i := range n {
		byParent = append(byParent, pack(s.generator, int32(s.old+i)))
	}
	r.each(func(parent, child int32) {
		byParent = append(byParent, pack(parent, child))
		s.forward = s.forward && parent < child
	})
	slices.Sort(byParent)
	byParent = slices.Compact(byParent)
	s.children.add(byParent, n)
	byChild := byParent
	for i, e := range byChild {
		byChild[i] = e<<32 | e>>32
	}
	slices.Sort(byChild)
	s.parents.add(byChild, n)
	s.graph.edges += len(byChild)
}

func pack(first, second int32) uint64 { return uint64(first)<<32 | uint64(second) }

// cycles looks for cycles through new tasks: there is no other.
func (s *splicer) cycles() []error {
	g := s.graph
	n := g.Len()
	if int(g.epoch) > math.MaxInt32-n-1 {
		clear(g.marks)
		g.epoch = 0
	}
	if len(g.marks) < n {
		g.marks = append(g.marks, make([]int32, n-len(g.marks))...)
	}
	t := tangles{graph: g, ids: g.marks, base: g.epoch}
	for i := s.old; i < n; i++ {
		t.visit(int32(i))
	}
	g.epoch += int32(len(t.low))
	return t.errors()
}

// undo takes everything away that was added.
func (s *splicer) undo() {
	g := s.graph
	// The last first, as the table demands.
	for i := g.Len() - 1; i >= s.old; i-- {
		g.table.remove(g.names, i)
	}
	clear(g.names[s.old:])
	g.names = g.names[:s.old]
	g.edges = s.edges
	s.parents.undo()
	s.children.undo()
}

// A growth is what a splice adds to an adjacency. As new tasks have greater
// indices than all others, it only ever appends: to the lists of old tasks,
// and lists of new tasks to the rows. So no list that was given out changes.
type growth struct {
	lists *adjacency
	old   int // number of rows before
	flat  int // their length
	// before has the grown lists as they were, nil for those still in flat.
	before map[int32][]int32
}

func newGrowth(a *adjacency, n int) growth {
	if a.starts == nil {
		a.starts = make([]int32, n+1)
	}
	return growth{lists: a, old: n, flat: len(a.flat)}
}

// add appends sorted edges to the lists of their first ends, and n rows.
func (w *growth) add(edges []uint64, n int) {
	a := w.lists
	for len(edges) > 0 && int(edges[0]>>32) < w.old {
		first, count := int32(edges[0]>>32), 1
		for count < len(edges) && int32(edges[count]>>32) == first {
			count++
		}
		w.extend(first, edges[:count])
		edges = edges[count:]
	}
	for i := w.old; i < w.old+n; i++ {
		for len(edges) > 0 && int(edges[0]>>32) == i {
			a.flat = append(a.flat, int32(edges[0]))
			edges = edges[1:]
		}
		a.starts = append(a.starts, int32(len(a.flat)))
	}
}

func (w *growth) extend(task int32, edges []uint64) {
	a := w.lists
	list, grown := a.grown[task]
	if w.before == nil {
		w.before = make(map[int32][]int32)
	}
	if a.grown == nil {
		a.grown = make(map[int32][]int32)
	}
	w.before[task] = list
	if !grown {
		list = slices.Clone(a.of(int(task)))
	}
	for _, e := range edges {
		list = append(list, int32(e))
	}
	a.grown[task] = list
}

func (w *growth) undo() {
	w.lists.starts = w.lists.starts[:w.old+1]
	w.lists.flat = w.lists.flat[:w.flat]
	for task, list := range w.before {
		if list == nil {
			delete(w.lists.grown, task)
		} else {
			w.lists.grown[task] = list
		}
	}
}
