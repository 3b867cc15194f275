package expand

import (
	"fmt"
	"math"

	"github.com/daggy-go/daggy/dag"
)

// Validate checks d as [dag.DAG.Validate] does, and that all its tasks can be
// expanded (D2 to D6) within the default [dag.Limits] (D11). The error holds
// every problem, up to a hundred: each a [*dag.Problem] or a [*dag.CycleError].
//
// It takes time in the size of d, whatever the number of instances, and keeps
// nothing of it. Empty lists are errors even if nothing refers to them, and so
// are names of parameters to which nothing can refer.
func Validate(d *dag.DAG) error { return Expander{}.Validate(d) }

// Validate is the function [Validate] within the limits of x.
func (x Expander) Validate(d *dag.DAG) error {
	_, err := x.validate(d, false)
	return err
}

// A Checked is a definition in which nothing is wrong.
type Checked struct {
	Graph *dag.Graph
	// Templates of the tasks, by index. Nil for those that are [Literal].
	Templates []*Template
}

// Check is Validate that keeps what it made on the way.
func (x Expander) Check(d *dag.DAG) (*Checked, error) { return x.validate(d, true) }

// validate checks d. If asked to, it keeps the templates.
func (x Expander) validate(d *dag.DAG, keep bool) (*Checked, error) {
	v := validator{dag: d, limits: x.Limits.WithDefaults()}
	graph, err := d.ValidGraph()
	v.found.addAll(err)
	if v.found.more > 0 {
		return nil, err // it says itself how many more there are
	}
	v.definition()
	if keep {
		v.templates = make([]*Template, len(d.Tasks))
	}
	v.tasks()
	v.names()
	v.total()
	if err := v.found.err(); err != nil {
		return nil, err
	}
	return &Checked{graph, v.templates}, nil
}

type validator struct {
	dag        *dag.DAG
	limits     dag.Limits
	found      problems
	templates  []*Template    // nil: not wanted
	multiplied map[string]int // number of instances by task
	instances  int
	// The task with the most of them.
	most    int
	mostOf  string
	invalid bool // the number of instances may be another
}

// definition checks what belongs to no task.
func (v *validator) definition() {
	if n := len(v.dag.Tasks); n > v.limits.Tasks {
		v.found.add(&dag.Problem{
			Field: "tasks",
			Text:  fmt.Sprintf("there are %d tasks, the limit is %d", n, v.limits.Tasks),
			Hint:  "multiply tasks by list parameters, or raise Limits.Tasks",
		})
	}
}

// tasks compiles what does not stand for itself.
func (v *validator) tasks() {
	def := &v.dag.JobDefaults
	// Defaults without placeholders leave it to the task whether it is valid
	// and whether it is multiplied.
	plainDefaults := Literal(&dag.Task{Job: *def}, nil)
	noDefaults := isZero(def)
	for i := range v.dag.Tasks {
		t := &v.dag.Tasks[i]
		if plainDefaults && Literal(t, nil) && (noDefaults || v.templates == nil) {
			v.count(t.Name, 1)
			continue
		}
		v.compile(i)
	}
}

func (v *validator) compile(i int) {
	t, before := &v.dag.Tasks[i], v.found.total()
	template := compile(t, &v.dag.JobDefaults, v.dag.Parameters, v.limits.Product, &v.found)
	v.invalid = v.invalid || v.found.total() > before
	if v.templates != nil {
		v.templates[i] = template
	}
	v.count(t.Name, template.count)
	if template.Multiplied() && template.count > 0 {
		if v.multiplied == nil {
			v.multiplied = map[string]int{}
		}
		v.multiplied[t.Name] = template.count
	}
}

func (v *validator) count(task string, instances int) {
	v.instances += min(instances, math.MaxInt-v.instances)
	if instances > v.most {
		v.most, v.mostOf = instances, task
	}
}

// names finds the clashes of D4: names of tasks that are names of instances.
func (v *validator) names() {
	if len(v.multiplied) == 0 {
		return
	}
	for i := range v.dag.Tasks {
		name := v.dag.Tasks[i].Name
		task, number := cutInstanceName(name)
		if number == "" {
			continue
		}
		if count := v.multiplied[task]; count > 0 {
			if i := parseNumber(number); 0 <= i && i < count {
				v.found.add(clash(name, task, count))
			}
		}
	}
}

func (v *validator) total() {
	if v.invalid || v.instances <= v.limits.Instances {
		return
	}
	v.found.add(&dag.Problem{
		Text: fmt.Sprintf("there are %d instances, %d of them of task %s, the limit is %d",
			v.instances, v.most, shorten(v.mostOf), v.limits.Instances),
		Hint: "shorten lists, or raise Limits.Instances",
	})
}
