package dag

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// references are the names in the Parents and Children of tasks, as indices.
type references struct {
	tasks []Task
	graph *Graph
	// from is the number of tasks before these in the graph.
	from int
	// flat has an index for each name, in order of tasks and the parents of
	// each before its children. It is -1 for what is no edge.
	flat []int32
}

// chunkSize is the number of names that are worth a goroutine: looking one up
// takes some 50 ns.
const chunkSize = 1 << 14

// resolve looks all names up and reports whether there are edges.
func (r *references) resolve(found *problems) bool {
	total := 0
	for i := range r.tasks {
		total += len(r.tasks[i].Parents) + len(r.tasks[i].Children)
	}
	switch {
	case total == 0:
		return false
	case total >= math.MaxInt32:
		found.add(&Problem{Text: fmt.Sprintf("%d dependencies are too many", total)})
		return false
	}
	r.flat = make([]int32, total)
	chunks := min(runtime.GOMAXPROCS(0), total/chunkSize)
	if chunks < 2 {
		if !r.lookUp(0, len(r.tasks), 0) {
			r.explain(found)
		}
		return true
	}
	if !r.lookUpChunks(chunks, total) {
		r.explain(found)
	}
	return true
}

// lookUpChunks is lookUp of everything, by several goroutines.
func (r *references) lookUpChunks(chunks, total int) bool {
	var wg sync.WaitGroup
	good := make([]bool, chunks)
	task, at := 0, 0
	for c := range chunks {
		first, start := task, at
		for task < len(r.tasks) && at < total*(c+1)/chunks {
			at += len(r.tasks[task].Parents) + len(r.tasks[task].Children)
			task++
		}
		last := task
		wg.Go(func() { good[c] = r.lookUp(first, last, start) })
	}
	// What is left refers to nothing, or it would have been counted.
	wg.Wait()
	return !slices.Contains(good, false)
}

// lookUp resolves the names of tasks first to last into flat[at:], and reports
// whether all are good.
func (r *references) lookUp(first, last, at int) bool {
	g, good := r.graph, true
	for i := first; i < last; i++ {
		t := &r.tasks[i]
		for _, names := range [2][]string{t.Parents, t.Children} {
			for _, name := range names {
				j, _ := g.table.find(g.names, name, g.table.hash(name))
				if int(j) == r.from+i {
					j = -1
				}
				good = good && j >= 0
				r.flat[at] = j
				at++
			}
		}
	}
	return good
}

// explain reports why names are no edges.
func (r *references) explain(found *problems) {
	guess, at := newGuesser(), 0
	for i := range r.tasks {
		t := &r.tasks[i]
		for k := range len(t.Parents) + len(t.Children) {
			if r.flat[at+k] >= 0 {
				continue
			}
			field, name := "parents", ""
			if k < len(t.Parents) {
				name = t.Parents[k]
			} else {
				field, name = "children", t.Children[k-len(t.Parents)]
			}
			if found.full() {
				found.more++
				continue
			}
			found.add(r.explainOne(t.Name, field, name, guess))
		}
		at += len(t.Parents) + len(t.Children)
	}
}

func (r *references) explainOne(task, field, name string, guess *guesser) *Problem {
	p := &Problem{Task: task, Field: field}
	if name == task {
		p.Text, p.Hint = "a task cannot wait for itself", "remove "+quote(name)
		return p
	}
	if base, ok := instanceOf(name); ok {
		if _, there := r.graph.Index(base); there {
			p.Text = "dependencies use task names, and no task is named " + quote(name)
			p.Hint = fmt.Sprintf("write %s, which means all its instances", quote(base))
			return p
		}
	}
	p.Text = fmt.Sprintf("no task is named %s", quote(name))
	p.Hint = guess.didYouMean(name, r.graph.names)
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

// connect lays the edges out.
func (g *Graph) connect(r *references) {
	n := len(g.names)
	// First by parent as they come, then by child, then by parent again: each
	// transposition sorts the lists, and the first drops what came twice.
	raw := adjacency{starts: make([]int32, n+1)}
	r.each(func(parent, _ int32) { raw.starts[parent+1]++ })
	for i := range n {
		raw.starts[i+1] += raw.starts[i]
	}
	raw.flat = make([]int32, raw.starts[n])
	next := slices.Clone(raw.starts[:n])
	r.each(func(parent, child int32) {
		raw.flat[next[parent]] = child
		next[parent]++
		g.forward = g.forward && parent < child
	})
	g.parents = raw.transpose(n)
	g.children = g.parents.transpose(n)
	g.edges = len(g.parents.flat)
}

// each calls f for each edge, as often as it was given.
func (r *references) each(f func(parent, child int32)) {
	at := 0
	for i := range r.tasks {
		t, self := &r.tasks[i], int32(r.from+i)
		for range t.Parents {
			if j := r.flat[at]; j >= 0 {
				f(j, self)
			}
			at++
		}
		for range t.Children {
			if j := r.flat[at]; j >= 0 {
				f(self, j)
			}
			at++
		}
	}
}
