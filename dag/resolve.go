package dag

import (
	"fmt"
	"math"
	"strings"
	"sync/atomic"
)

// references are the names in the Parents and Children of tasks, as indices.
type references struct {
	tasks []Task
	// from is the number of tasks that are before these in the graph.
	from int
	// flat[starts[i]:starts[i+1]] has an index for each name in task i, its
	// parents before its children. It is -1 where that is no edge.
	starts []int32
	flat   []int32
	// children: there are names of children.
	children bool
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
	var bad, children atomic.Bool
	inChunks(len(r.tasks), func(_, first, last int) {
		b, c := r.lookUp(g, first, last)
		if b {
			bad.Store(true)
		}
		if c {
			children.Store(true)
		}
	})
	r.children = children.Load()
	if bad.Load() {
		r.explain(g, found)
	}
	return true
}

// lookUp resolves the names in tasks first to last, and reports whether some
// are bad and whether some are of children.
func (r *references) lookUp(graph *Graph, first, last int) (bad, children bool) {
	var g guesses
	for i := first; i < last; i++ {
		at := r.starts[i]
		if r.starts[i+1] == at {
			continue
		}
		t := &r.tasks[i]
		children = children || len(t.Children) > 0
		for _, names := range [2][]string{t.Parents, t.Children} {
			for k, name := range names {
				j := g.find(graph, k, name)
				if int(j) == r.from+i {
					j = -1
				}
				bad = bad || j < 0
				r.flat[at] = j
				at++
			}
		}
	}
	return bad, children
}

// guesses find most names without the table. Definitions are regular: often the
// first parent of a task is that of the task before, or the one after that, and
// so is the second. To compare two names that are near takes a tenth of the time
// of a search.
type guesses [4]int32

func (g *guesses) find(graph *Graph, k int, name string) int32 {
	last := &g[k%len(g)]
	if next := int(*last) + 1; next < len(graph.names) && graph.names[next] == name {
		*last = int32(next)
		return *last
	}
	if graph.names[*last] == name {
		return *last
	}
	j, _ := graph.table.find(graph.names, name, graph.table.hash(name))
	*last = max(0, j)
	return j
}

// explain reports why names are no edges.
func (r *references) explain(g *Graph, found *problems) {
	guess := newGuesser()
	for i := range r.tasks {
		t := &r.tasks[i]
		for k, j := range r.flat[r.starts[i]:r.starts[i+1]] {
			if j >= 0 {
				continue
			}
			if found.full() {
				found.more++
				continue
			}
			field, names := "parents", t.Parents
			if k >= len(names) {
				field, names, k = "children", t.Children, k-len(names)
			}
			p := explainName(g, t.Name, names[k], guess)
			p.Field = fmt.Sprintf("%s[%d]", field, k)
			found.add(p)
		}
	}
}

func explainName(g *Graph, task, name string, guess *guesser) *Problem {
	p := &Problem{Task: task}
	if name == task {
		p.Text, p.Hint = "a task cannot wait for itself", "remove "+quote(name)
		return p
	}
	if base, ok := instanceOf(name); ok {
		if _, there := g.Index(base); there {
			p.Text = "dependencies use task names, and no task is named " + quote(name)
			p.Hint = fmt.Sprintf("write %s, which means all its instances", quote(base))
			return p
		}
	}
	p.Text = fmt.Sprintf("no task is named %s", quote(name))
	p.Hint = guess.didYouMean(name, g.names)
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
