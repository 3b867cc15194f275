package dag

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// references are the names in the Parents and Children of tasks, as indices.
type references struct {
	tasks []Task
	// from is the number of tasks that are before these in the graph.
	from int
	// flat[starts[i]:starts[i+1]] has an index for each name in task i, its
	// parents before its children, each in any order. It is -1 where a name is
	// no edge.
	starts []int32
	flat   []int32
	traits
}

// traits are what there is among references that not all have.
type traits struct {
	bad      bool // names that are no edges
	children bool // names of children
	backward bool // edges from a greater to a smaller index
	untidy   bool // parents that are not in ascending order, or there twice
}

func (t *traits) merge(o traits) {
	t.bad = t.bad || o.bad
	t.children = t.children || o.children
	t.backward = t.backward || o.backward
	t.untidy = t.untidy || o.untidy
}

// resolve looks all names up in g and reports whether there are any. Starts
// has the number of names of task i at i+1.
func (r *references) resolve(g *Graph, found *problems) bool {
	total := 0
	for i := range r.tasks {
		total += int(r.starts[i+1])
		if total >= math.MaxInt32-g.edges-len(r.tasks) {
			found.add(&Problem{Text: "these are too many dependencies"})
			return false
		}
		r.starts[i+1] = int32(total)
	}
	if total == 0 {
		return false
	}
	r.flat = make([]int32, total)
	parts := make([]traits, chunksOf(len(r.tasks)))
	inChunks(len(r.tasks), func(chunk, first, last int) {
		parts[chunk] = r.lookUp(g, first, last)
	})
	for _, part := range parts {
		r.merge(part)
	}
	if r.bad {
		r.explain(g, found)
	}
	return true
}

// lookUp resolves the names in tasks first to last.
func (r *references) lookUp(graph *Graph, first, last int) traits {
	var all traits
	var g guesses
	for i := first; i < last; i++ {
		list := r.flat[r.starts[i]:r.starts[i+1]]
		if len(list) == 0 {
			continue
		}
		t, self := &r.tasks[i], int32(r.from+i)
		parents := list[:len(t.Parents)]
		for k, name := range t.Parents {
			parents[k] = g.find(graph, k, name, self)
			all.backward = all.backward || parents[k] > self
			all.bad = all.bad || parents[k] < 0
		}
		if !tidy(parents) {
			all.untidy = true
		}
		children := list[len(t.Parents):]
		for k, name := range t.Children {
			children[k] = g.find(graph, k, name, self)
			all.backward = all.backward || children[k] < self
			all.bad = all.bad || children[k] < 0
		}
		all.children = all.children || len(children) > 0
	}
	return all
}

// guesses find most names without the table. Definitions are regular: often the
// first parent of a task is that of the task before, or the one after that, and
// so are the others; or a parent is the one after the parent before it; or names
// end in numbers, which say how far it is from one to the other. To compare two
// names that are near takes a tenth of the time of a search.
type guesses struct {
	last   [16]int32 // by place in the list
	before int32     // the name before
}

// find returns the index of the k-th name, or -1 if that is no task, or self.
func (g *guesses) find(graph *Graph, k int, name string, self int32) int32 {
	last := &g.last[k%len(g.last)]
	j := *last
	switch {
	case graph.names[j] == name:
	case is(graph, j+1, name):
		j++
	case is(graph, g.before+1, name):
		j = g.before + 1
	default:
		if j += apart(graph.names[j], name); !is(graph, j, name) {
			j, _ = graph.table.find(graph.names, name, graph.table.hash(name))
		}
	}
	*last = max(0, j)
	g.before = *last
	if j == self {
		return -1
	}
	return j
}

// is reports whether there is a task j, of that name.
func is(graph *Graph, j int32, name string) bool {
	return 0 <= j && int(j) < len(graph.names) && graph.names[j] == name
}

// apart returns by how much the number at the end of one name is less than
// that of another.
func apart(one, other string) int32 { return endNumber(other) - endNumber(one) }

// endNumber returns the number at the end of a name, modulo 2^32. There need be
// none: it is for guesses.
func endNumber(name string) int32 {
	n, unit := int32(0), int32(1)
	for i := len(name) - 1; i >= 0 && '0' <= name[i] && name[i] <= '9'; i-- {
		n += unit * int32(name[i]-'0')
		unit *= 10
	}
	return n
}

// explain reports why names are no edges.
func (r *references) explain(g *Graph, found *problems) {
	e := explainer{graph: g, found: found, guess: newGuesser()}
	for i := range r.tasks {
		// The indices may be in another order than the names.
		if !slices.Contains(r.flat[r.starts[i]:r.starts[i+1]], -1) {
			continue
		}
		t := &r.tasks[i]
		e.list(int32(r.from+i), t.Name, "parents", t.Parents)
		e.list(int32(r.from+i), t.Name, "children", t.Children)
	}
}

// An explainer says what is wrong with names.
type explainer struct {
	graph *Graph
	found *problems
	guess *guesser
}

func (e *explainer) list(self int32, task, field string, names []string) {
	g := e.graph
	for k, name := range names {
		j, _ := g.table.find(g.names, name, g.table.hash(name))
		switch {
		case j >= 0 && j != self:
		case e.found.full():
			e.found.more++
		default:
			p := e.name(task, name)
			p.Field = fmt.Sprintf("%s[%d]", field, k)
			e.found.add(p)
		}
	}
}

func (e *explainer) name(task, name string) *Problem {
	p := &Problem{Task: task}
	if name == task {
		p.Text, p.Hint = "a task cannot wait for itself", "remove "+quote(name)
		return p
	}
	if base, ok := instanceOf(name); ok {
		if _, there := e.graph.Index(base); there {
			p.Text = "dependencies use task names, and no task is named " + quote(name)
			p.Hint = fmt.Sprintf("write %s, which means all its instances", quote(base))
			return p
		}
	}
	p.Text = fmt.Sprintf("no task is named %s", quote(name))
	p.Hint = e.guess.didYouMean(name, e.graph.names)
	return p
}

// instanceOf returns the task that the instance with this name would be of.
func instanceOf(name string) (task string, ok bool) {
	at := strings.LastIndexByte(name, '_')
	if at <= 0 || at == len(name)-1 {
		return "", false
	}
	return name[:at], strings.Trim(name[at+1:], "0123456789") == ""
}

// each calls f for each edge, as often as it was given.
func (r *references) each(f func(parent, child int32)) {
	for i := range r.tasks {
		self, parents := int32(r.from+i), len(r.tasks[i].Parents)
		for k, j := range r.flat[r.starts[i]:r.starts[i+1]] {
			switch {
			case j < 0:
			case k < parents:
				f(j, self)
			default:
				f(self, j)
			}
		}
	}
}
