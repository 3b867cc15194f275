package expand

import (
	"fmt"
	"math"
	"slices"

	"github.com/daggy-go/daggy/dag"
)

// Expand returns a DAG in which every instance is a task of its own that stands
// for itself: named as the instance, with the job it would get and with the
// edges between all instances written out. It is for looking at, and for tools
// that know nothing of parameters; a runner does not need it and does without
// the N×M edges between two multiplied tasks.
//
// The order is that of the tasks and their instances. A task that is not
// multiplied keeps its name. Braces that are meant as they are come out
// escaped, so that expanding the result changes nothing. If d has generators,
// parameters and job defaults are kept for what they will generate; else there
// are none any more. Note that an instance of a generator, written out, is the
// parent of its own tasks alone.
//
// The error is that of [Validate], or says that the result would have more than
// Limits.Tasks tasks, or more than ten times as many edges. It is found before
// the result is made. The result shares slices and maps with d and within
// itself: of both, read only.
func Expand(d *dag.DAG) (*dag.DAG, error) { return Expander{}.Expand(d) }

// Expand is the function [Expand] within the limits of x.
func (x Expander) Expand(d *dag.DAG) (*dag.DAG, error) {
	checked, err := x.validate(d, true)
	if err != nil {
		return nil, err
	}
	w := expansion{dag: d, templates: checked.Templates, instances: map[string][]string{}}
	if err := w.measure(x.Limits.WithDefaults().Tasks); err != nil {
		return nil, err
	}
	return w.write(), nil
}

// edgesPerTask bounds edges by the limit on tasks. They have none of their own,
// since nothing else writes them out.
const edgesPerTask = 10

type expansion struct {
	dag       *dag.DAG
	templates []*Template // nil for tasks that stand for themselves
	tasks     int
	// instances has the names of instances by the name of a multiplied task.
	instances map[string][]string
	// generates: tasks will come that take parameters and defaults.
	generates bool
}

// measure checks the size of the result.
func (x *expansion) measure(limit int) error {
	counts := map[string]int{}
	for i, t := range x.templates {
		n := 1
		if t != nil {
			n = t.Len()
		}
		x.tasks += min(n, math.MaxInt-x.tasks)
		if t != nil && t.Multiplied() {
			counts[t.name] = n
		}
		x.generates = x.generates || x.dag.Tasks[i].Generator
	}
	var found problems
	if x.tasks > limit {
		found.add(&dag.Problem{
			Field: "tasks",
			Text:  fmt.Sprintf("written out there are %d tasks, the limit is %d", x.tasks, limit),
			Hint:  "shorten lists, or raise Limits.Tasks",
		})
		return found.err()
	}
	// Both factors fit into int, and a float64 tells big from too big.
	edges, most := x.edges(counts), edgesPerTask*float64(limit)
	if edges > most {
		found.add(&dag.Problem{
			Field: "tasks",
			Text: fmt.Sprintf("written out there are %.0f dependencies, the limit is %.0f",
				edges, most),
			Hint: "put a task without a command between multiplied tasks, or raise Limits.Tasks",
		})
	}
	return found.err()
}

// edges counts how many names all Parents and Children would hold.
func (x *expansion) edges(counts map[string]int) float64 {
	sum := 0.0
	for i := range x.dag.Tasks {
		t, names := &x.dag.Tasks[i], 0.0
		for _, list := range [2][]string{t.Parents, t.Children} {
			for _, name := range list {
				names += float64(max(1, counts[name]))
			}
		}
		sum += names * float64(max(1, counts[t.Name]))
	}
	return sum
}

func (x *expansion) write() *dag.DAG {
	d := *x.dag
	d.Tasks = make([]dag.Task, 0, x.tasks)
	if !x.generates {
		d.Parameters, d.JobDefaults = nil, dag.Job{}
	}
	for _, t := range x.templates {
		if t != nil && t.Multiplied() {
			x.instances[t.name] = instanceNames(t)
		}
	}
	for i := range x.dag.Tasks {
		d.Tasks = x.appendTask(d.Tasks, i)
	}
	return &d
}

func instanceNames(t *Template) []string {
	names := make([]string, t.Len())
	for i := range names {
		names[i] = t.Name(i)
	}
	return names
}

// appendTask appends the instances of task i. They share their lists of
// parents, which keeps N×M edges at N+M names.
func (x *expansion) appendTask(tasks []dag.Task, i int) []dag.Task {
	t := x.dag.Tasks[i]
	t.Parents, t.Children = x.writeOut(t.Parents), x.writeOut(t.Children)
	t.Parameters = nil
	template := x.templates[i]
	if template == nil {
		return append(tasks, t)
	}
	own := x.dag.Tasks[i].Job.Command
	for k := range template.Len() {
		in := template.At(k)
		t.Name = in.Name
		if names := x.instances[template.name]; names != nil {
			t.Name = names[k]
		}
		if template.Groups() {
			// Options that it got from the defaults would make it more than that.
			t.Job = dag.Job{Command: own}
		} else {
			t.Job = escapeJob(in.Job)
		}
		if x.generates {
			t.Parameters = scalars(in.Values)
		}
		tasks = append(tasks, t)
	}
	return tasks
}

func (x *expansion) writeOut(names []string) []string {
	isMultiplied := func(name string) bool { return x.instances[name] != nil }
	if !slices.ContainsFunc(names, isMultiplied) {
		return slices.Clip(names)
	}
	var all []string
	for _, name := range names {
		if instances := x.instances[name]; instances != nil {
			all = append(all, instances...)
		} else {
			all = append(all, name)
		}
	}
	return slices.Clip(all)
}

// scalars keeps the defaults, where they stay, from multiplying an instance
// once more.
func scalars(values Values) dag.Parameters {
	if values.Len() == 0 {
		return nil
	}
	p := make(dag.Parameters, values.Len())
	for name, value := range values.All() {
		p[name] = dag.Scalar(value)
	}
	return p
}

// escapeJob returns the job that stands for j as it is.
func escapeJob(j dag.Job) dag.Job {
	j.Command = escapeAll(j.Command)
	j.Environment = escapeAll(j.Environment)
	j.WorkDir = escape(j.WorkDir)
	j.Options = (&rewriter{text: escape}).options(j.Options)
	return j
}

func escapeAll(list []string) []string {
	if !slices.ContainsFunc(list, hasPlaceholder) {
		return list
	}
	list = slices.Clone(list)
	for i := range list {
		list[i] = escape(list[i])
	}
	return list
}
