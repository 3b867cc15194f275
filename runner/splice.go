package runner

import (
	"fmt"
	"iter"
	"slices"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/expand"
	"github.com/daggy-go/daggy/runner/internal/plan"
)

// splice adds what a generator generated, all or nothing (D7), and returns what
// the plan has to know of it.
func (def *definition) splice(generator int, g *generated) ([]plan.Task, error) {
	tasks, templates := g.tasks, g.templates
	if err := def.roomFor(g); err != nil {
		return nil, err
	}
	base := len(def.tasks)
	def.planned = nil
	if err := def.add(tasks, templates, nil); err != nil {
		return nil, err
	}
	err := def.name(base, tasks)
	if err == nil {
		if err = def.graph.Splice(generator, tasks); err != nil {
			def.names = nil // it has names that do not exist, and is made anew
		}
	}
	if err != nil {
		def.remove(base, 0)
		return nil, err
	}
	return def.planned, nil
}

// generated are tasks that a generator has made, and their templates.
type generated struct {
	tasks     []dag.Task
	templates []*expand.Template
}

// expand checks new tasks, but for their edges, and compiles them. It reads only
// what does not change, and calls user code.
func (def *definition) expand(tasks []dag.Task) (*generated, error) {
	d := def.frame
	d.Tasks = slices.Clone(tasks)
	for i := range d.Tasks {
		d.Tasks[i].Parents, d.Tasks[i].Children = nil, nil
	}
	checked, err := expand.Expander{Limits: def.limits}.Check(&d)
	if err == nil {
		err = def.pools.checkAll(tasks, checked.Templates)
	}
	if err != nil {
		return nil, err
	}
	return &generated{tasks, checked.Templates}, nil
}

// roomFor reports new tasks that are beyond the limits.
func (def *definition) roomFor(g *generated) error {
	if n := len(def.tasks) + len(g.tasks); n > def.limits.Tasks {
		return &dag.Problem{
			Text: fmt.Sprintf("there would be %d tasks, the limit is %d", n, def.limits.Tasks),
			Hint: "generate fewer, or raise Limits.Tasks",
		}
	}
	instances := def.instances
	for _, t := range g.templates {
		if t == nil {
			instances++
		} else {
			instances += t.Len()
		}
	}
	if instances > def.limits.Instances {
		return &dag.Problem{
			Text: fmt.Sprintf("there would be %d instances, the limit is %d",
				instances, def.limits.Instances),
			Hint: "generate fewer, or raise Limits.Instances",
		}
	}
	return nil
}

// name reports names of new tasks, which are compiled from index base on, that
// are also names of instances, and the other way round (D4).
func (def *definition) name(base int, tasks []dag.Task) error {
	if def.names == nil {
		def.names = new(expand.Names)
		old := func(i int) string { return def.graph.Name(i) }
		if err := def.names.Add(def.counted(0, base, old)); err != nil {
			return err
		}
	}
	return def.names.Add(def.counted(base, len(tasks), func(i int) string { return tasks[i].Name }))
}

// counted yields n tasks from index base on with the numbers of instances that
// have names of their own.
func (def *definition) counted(
	base, n int, name func(int) string,
) iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		for i := range n {
			if !yield(name(i), def.multipliedTo(base+i)) {
				return
			}
		}
	}
}
