package dag

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// newGraph makes a graph of tasks. If there are problems, they come in order of
// the definition, and what is left is of no use. It calls check, if there is
// one, for each task once it is at it: reading a million tasks from memory is
// much of the cost of either.
func newGraph(tasks []Task, found *problems, check func(*Task, *problems)) *Graph {
	if len(tasks) >= math.MaxInt32 {
		found.add(&Problem{Text: fmt.Sprintf("%d tasks are too many", len(tasks))})
		return &Graph{forward: true}
	}
	g := &Graph{
		names: make([]string, len(tasks)), table: newNameTable(len(tasks)), forward: true,
	}
	b := builder{
		Graph:      g,
		hashes:     make([]uint32, len(tasks)),
		references: references{tasks: tasks, starts: make([]int32, len(tasks)+1)},
	}
	b.readTasks(found, check)
	b.fillTable(found)
	if b.resolve(g, found) {
		g.connect(&b.references)
	}
	if !g.forward && !g.acyclic() {
		for _, c := range g.cycles() {
			found.add(c)
		}
	}
	return g
}

// A builder makes a graph, in steps that each read the tasks at most once and
// use all processors where they can.
type builder struct {
	*Graph
	references
	hashes []uint32 // of the names
}

// readTasks collects what the later steps need.
func (b *builder) readTasks(found *problems, check func(*Task, *problems)) {
	parts := make([]problems, chunksOf(len(b.tasks)))
	inChunks(len(b.tasks), func(chunk, first, last int) {
		part := &parts[chunk]
		for i := first; i < last; i++ {
			t := &b.tasks[i]
			b.names[i] = t.Name
			b.hashes[i] = b.table.hash(t.Name)
			b.starts[i+1] = int32(len(t.Parents) + len(t.Children))
			if why := nameProblem(t.Name); why != "" {
				part.add(badName(i, t.Name, why))
			}
			if check != nil {
				check(t, part)
			}
		}
	})
	for i := range parts {
		found.merge(&parts[i])
	}
}

// fillTable makes names be found.
func (b *builder) fillTable(found *problems) {
	for i, name := range b.names {
		if name == "" {
			continue
		}
		first, slot := b.table.find(b.names, name, b.hashes[i])
		if first >= 0 {
			found.add(duplicateName(name, int(first), i))
			continue
		}
		b.table.put(i, b.hashes[i], slot)
	}
}

// connect lays out the edges of a new graph.
func (g *Graph) connect(r *references) {
	g.parents = adjacency{starts: r.starts, flat: r.flat}
	if r.children || r.bad {
		g.parents = r.byChild()
	}
	if r.children || r.untidy {
		g.parents.sort()
	}
	g.children = g.parents.transpose()
	g.edges, g.forward = len(g.parents.flat), !r.backward
}

// chunkSize is the number of tasks that are worth a goroutine's while.
const chunkSize = 1 << 13

func chunksOf(n int) int { return (n + chunkSize - 1) / chunkSize }

// inChunks calls f for ranges that make up 0 to n, on all processors if there
// are several.
func inChunks(n int, f func(chunk, first, last int)) {
	chunks := chunksOf(n)
	var next atomic.Int64
	work := func() {
		for c := int(next.Add(1)) - 1; c < chunks; c = int(next.Add(1)) - 1 {
			f(c, c*chunkSize, min(n, (c+1)*chunkSize))
		}
	}
	var wg sync.WaitGroup
	for range min(chunks, runtime.GOMAXPROCS(0)) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}

// byChild returns the parents of each task, where names are of children too, or
// no edges.
func (r *references) byChild() adjacency {
	n := len(r.tasks)
	starts := make([]int32, n+1)
	r.each(func(_, child int32) { starts[child+1]++ })
	for i := range n {
		starts[i+1] += starts[i]
	}
	flat, next := make([]int32, starts[n]), slices.Clone(starts[:n])
	r.each(func(parent, child int32) {
		flat[next[child]] = parent
		next[child]++
	})
	return adjacency{starts: starts, flat: flat}
}
