package dag

import "slices"

// acyclic reports whether the graph has no cycle, by one pass of Kahn's
// algorithm: take away tasks that wait for nothing until none is left.
func (g *Graph) acyclic() bool {
	n := len(g.names)
	waits, ready := make([]int32, n), make([]int32, 0, n)
	for i := range n {
		waits[i] = int32(len(g.Parents(i)))
		if waits[i] == 0 {
			ready = append(ready, int32(i))
		}
	}
	for at := 0; at < len(ready); at++ {
		for _, c := range g.Children(int(ready[at])) {
			if waits[c]--; waits[c] == 0 {
				ready = append(ready, c)
			}
		}
	}
	return len(ready) == n
}

// cycles finds every strongly connected part of the graph that is more than one
// task and returns a cycle of each, sorted by the task that is defined first.
func (g *Graph) cycles() []error {
	n := len(g.names)
	t := tangles{graph: g, ids: make([]int32, n)}
	for i := range n {
		t.visit(int32(i))
	}
	return t.errors()
}

// tangles finds strongly connected parts by Tarjan's algorithm, with a stack of
// its own: a chain may be a million tasks long.
type tangles struct {
	graph *Graph
	// ids number the visited tasks from base+1, in the order of the visit.
	ids  []int32
	base int32
	// low has, by id, the smallest id that is known to be reachable and not
	// yet in a finished part; or done.
	low []int32
	// open are the visited tasks that are in no finished part.
	open  []int32
	walk  []step
	parts [][]int32
	// from is for shortest: outside of the part, unseen in it, or else one more
	// than the task that the search came from.
	from []int32
}

const outside, unseen = 0, -1

// A step is a task on the way to where the walk is, and how many of its
// children have been seen.
type step struct{ task, seen int32 }

const done = -1

func (t *tangles) visit(root int32) {
	if t.ids[root] > t.base {
		return
	}
	t.enter(root)
	for len(t.walk) > 0 {
		top := &t.walk[len(t.walk)-1]
		children := t.graph.Children(int(top.task))
		if int(top.seen) == len(children) {
			t.leave()
			continue
		}
		c := children[top.seen]
		top.seen++
		if t.ids[c] <= t.base {
			t.enter(c)
			continue
		}
		if id := t.ids[c] - t.base - 1; t.low[id] != done {
			t.lower(top.task, id)
		}
	}
}

func (t *tangles) enter(task int32) {
	id := int32(len(t.low))
	t.ids[task] = t.base + 1 + id
	t.low = append(t.low, id)
	t.open = append(t.open, task)
	t.walk = append(t.walk, step{task: task})
}

// lower records that id can be reached from task.
func (t *tangles) lower(task, id int32) {
	own := t.ids[task] - t.base - 1
	t.low[own] = min(t.low[own], id)
}

// leave ends the visit of the last task of the walk.
func (t *tangles) leave() {
	last := len(t.walk) - 1
	task := t.walk[last].task
	t.walk = t.walk[:last]
	id := t.ids[task] - t.base - 1
	low := t.low[id]
	if low < id {
		t.lower(t.walk[last-1].task, low)
		return
	}
	first := len(t.open) - 1
	for t.open[first] != task {
		first--
	}
	part := t.open[first:]
	for _, member := range part {
		t.low[t.ids[member]-t.base-1] = done
	}
	if len(part) > 1 {
		t.parts = append(t.parts, slices.Clone(part))
	}
	t.open = t.open[:first]
}

// errors returns a cycle of each part that was found. The paths of those that
// nobody will see are left out.
func (t *tangles) errors() []error {
	for _, part := range t.parts {
		// The first-defined task comes first, for the order and the path.
		least := slices.Index(part, slices.Min(part))
		part[0], part[least] = part[least], part[0]
	}
	slices.SortFunc(t.parts, func(a, b []int32) int { return int(a[0] - b[0]) })
	errs := make([]error, len(t.parts))
	for i, part := range t.parts {
		e := &CycleError{}
		if i < maxProblems {
			e.Path = t.shortest(part)
		}
		errs[i] = e
	}
	return errs
}

// shortest returns the shortest cycle through part[0]: a breadth-first search
// that does not leave the part.
func (t *tangles) shortest(part []int32) []string {
	if t.from == nil {
		t.from = make([]int32, t.graph.Len())
	}
	for _, member := range part {
		t.from[member] = unseen
	}
	defer func() {
		for _, member := range part {
			t.from[member] = outside
		}
	}()
	start := part[0]
	for queue := []int32{start}; ; queue = queue[1:] {
		for _, c := range t.graph.Children(int(queue[0])) {
			if c == start {
				return t.path(start, queue[0])
			}
			if t.from[c] == unseen {
				t.from[c] = queue[0] + 1
				queue = append(queue, c)
			}
		}
	}
}

// path names the tasks from start to end, and start again.
func (t *tangles) path(start, end int32) []string {
	path := []string{t.graph.Name(int(start))}
	for at := end; at != start; at = t.from[at] - 1 {
		path = append(path, t.graph.Name(int(at)))
	}
	path = append(path, t.graph.Name(int(start)))
	slices.Reverse(path)
	return path
}
