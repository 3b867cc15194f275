package runner

import (
	"cmp"
	"fmt"

	"github.com/hashicorp/go-multierror"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/expand"
	"github.com/daggy-go/daggy/runner/internal/plan"
)

// definition is what a run keeps of its DAG: a compact copy, by task index. The
// caller may alter the DAG once the run has started, and a million tasks that
// have a name, a command and parents should not cost a million dag.Tasks.
type definition struct {
	graph  *dag.Graph
	tasks  []taskDef
	frame  dag.DAG // all of the DAG but its tasks
	opened int     // how many of the tasks are the DAG's, not generators'
	pools  *pools
	limits dag.Limits

	instances int
	// names finds clashes when tasks are spliced in. Nil before the first time.
	names *expand.Names
	// planned is what the plan has to know of the tasks. It is dropped when the
	// plan is made.
	planned []plan.Task
}

// taskDef is one task. Its name and its edges are in the graph.
type taskDef struct {
	command []string
	more    *taskMore // nil: there is nothing but a literal command
}

type taskMore struct {
	task     dag.Task // without edges
	template *expand.Template
}

// compile checks all of d and makes a definition of it. The error has every
// problem there is.
func (r *Runner) compile(d *dag.DAG) (*definition, error) {
	return r.compileWithin(d, r.Limits)
}

func (r *Runner) compileWithin(d *dag.DAG, limits dag.Limits) (*definition, error) {
	if d == nil {
		d = &dag.DAG{}
	}
	pools, err := r.pools(d)
	if err != nil {
		return nil, err
	}
	x := expand.Expander{Limits: limits}
	checked, err := x.Check(d)
	if err != nil {
		return nil, multierror.Append(err, pools.misfits(d, x)...).ErrorOrNil()
	}
	// Only now: what is wrong may be that it cannot be copied.
	frame := frameOf(d)
	pools.own(frame.PoolOptions)
	if err := ownTemplates(x, d.Tasks, checked.Templates, &frame); err != nil {
		return nil, err
	}
	def := &definition{
		graph:  checked.Graph,
		frame:  frame,
		opened: len(d.Tasks),
		pools:  pools,
		limits: limits.WithDefaults(),
	}
	err = def.add(d.Tasks, checked.Templates, pools.check)
	if err == nil {
		err = pools.validateOptions()
	}
	if err != nil {
		// There may be more, of tasks that were not looked at that far; or none any
		// more, if it was a directory that was not mounted yet.
		return nil, cmp.Or(multierror.Append(nil, pools.misfits(d, x)...).ErrorOrNil(), err)
	}
	return def, nil
}

// ownTemplates makes the templates again of copies of their tasks. Templates
// share what they can with the tasks that they are made of, and the caller may
// alter these once the run has started (R8).
func ownTemplates(
	x expand.Expander, tasks []dag.Task, templates []*expand.Template, frame *dag.DAG,
) error {
	for i, t := range templates {
		if t == nil {
			continue
		}
		var err error
		templates[i], err = x.Compile(tasks[i].Clone(), frame.JobDefaults, frame.Parameters)
		if err != nil {
			return err
		}
	}
	return nil
}

// frameOf returns a copy of d without its tasks.
func frameOf(d *dag.DAG) dag.DAG {
	frame := *d
	frame.Tasks = nil
	return *frame.Clone()
}

// add adds tasks, with their templates, if there is no problem with any of them.
// check is nil if they were checked. It and the copying use all processors, since
// for a million tasks the time goes into looking at each.
func (def *definition) add(
	tasks []dag.Task, templates []*expand.Template,
	check func(*dag.Task, *expand.Template) error,
) error {
	base, plannedBase := len(def.tasks), len(def.planned)
	instances, groups := def.instances, def.pools.mark()
	def.tasks = append(def.tasks, make([]taskDef, len(tasks))...)
	def.planned = append(def.planned, make([]plan.Task, len(tasks))...)
	problems := inParts(len(tasks), func(from, to int) []error {
		l := loader{def, tasks, templates, check}
		return l.load(from, to, def.tasks[base:], def.planned[plannedBase:])
	})
	if len(problems) == 0 {
		problems = def.place(tasks, templates, def.planned[plannedBase:])
	}
	if len(problems) == 0 {
		return nil
	}
	def.tasks, def.planned = def.tasks[:base], def.planned[:plannedBase]
	def.instances = instances
	def.pools.reset(groups)
	return atOnce(problems)
}

// place finds the groups of tasks that were loaded, in their order.
func (def *definition) place(
	tasks []dag.Task, templates []*expand.Template, planned []plan.Task,
) []error {
	var problems []error
	for i := range planned {
		var err error
		if p := &planned[i]; p.Group < 0 {
			err = def.pools.placePlain(&tasks[i], int(^p.Group), p)
		} else {
			err = def.pools.place(&tasks[i], templates[i], p)
		}
		if err != nil {
			if problems = append(problems, err); len(problems) == maxErrors {
				break
			}
		}
		def.instances += int(planned[i].Instances)
	}
	return problems
}

// remove takes away what was added after the given lengths.
func (def *definition) remove(base, plannedBase int) {
	for _, p := range def.planned[plannedBase:] {
		def.instances -= int(p.Instances)
	}
	def.tasks, def.planned = def.tasks[:base], def.planned[:plannedBase]
}

// planTask says what the plan has to know of t. template is nil if t is literal.
func planTask(t *dag.Task, template *expand.Template) plan.Task {
	planned := plan.Task{Instances: 1, Generator: t.Generator}
	planned.Barrier = groups(t, template)
	if template != nil {
		planned.Instances = int32(template.Len())
	}
	if t.Priority != 0 || t.MaxRetries != 0 || t.RetryInterval != 0 || !t.NotBefore.IsZero() {
		planned.Policy = policyOf(t)
	}
	return planned
}

func policyOf(t *dag.Task) *plan.Policy {
	p := &plan.Policy{
		Priority: t.Priority, MaxRetries: t.MaxRetries, RetryInterval: t.RetryInterval,
	}
	if !t.NotBefore.IsZero() {
		p.NotBefore = max(1, plan.Nanoseconds(t.NotBefore))
	}
	return p
}

// wordsAtOnce is how many words of commands a block of memory has room for.
const wordsAtOnce = 4096

// copyTask copies what the run needs of t. The words of literal commands go to
// blocks that many tasks share.
func copyTask(t *dag.Task, template *expand.Template, words *[]string) taskDef {
	if template == nil && isPlain(t) {
		n := len(t.Job.Command)
		if n == 0 {
			return taskDef{command: t.Job.Command} // nil and empty are not the same (D9)
		}
		if cap(*words)-len(*words) < n {
			*words = make([]string, 0, max(wordsAtOnce, n))
		}
		from := len(*words)
		*words = append(*words, t.Job.Command...)
		return taskDef{command: (*words)[from : from+n : from+n]}
	}
	return taskDef{more: &taskMore{task: withoutEdges(t), template: template}}
}

// isPlain reports whether t, which is literal, has nothing but a name, a
// command and edges.
func isPlain(t *dag.Task) bool {
	j := &t.Job
	return !t.Generator && t.MaxRetries == 0 && t.RetryInterval == 0 && t.NotBefore.IsZero() &&
		t.Priority == 0 && t.Pool == "" && len(t.Parameters) == 0 &&
		len(j.Environment) == 0 && j.WorkDir == "" && j.TimeLimit == 0 &&
		len(j.Resources) == 0 && len(j.Options) == 0
}

// multiplied reports whether the instances of the task have names of their own.
func (c *taskDef) multiplied() bool {
	return c.more != nil && c.more.template != nil && c.more.template.Multiplied()
}

// job returns the job of an instance, which is not only a command.
func (c *taskDef) job(index int) dag.Job {
	if c.more.template == nil {
		return c.more.task.Job
	}
	return c.more.template.JobAt(index)
}

// instanceName returns the name of an instance.
func (def *definition) instanceName(task, instance int) string {
	if def.tasks[task].multiplied() {
		return expand.InstanceName(def.graph.Name(task), instance)
	}
	return def.graph.Name(task)
}

// find returns what a name stands for: a task, with instance -1, or one
// instance.
func (def *definition) find(name string) (task, instance int, err error) {
	if i, ok := def.graph.Index(name); ok {
		return i, -1, nil
	}
	if base, k, ok := expand.ParseInstanceName(name); ok {
		if i, ok := def.graph.Index(base); ok && def.tasks[i].multiplied() &&
			k < def.tasks[i].more.template.Len() {
			return i, k, nil
		}
	}
	return 0, 0, fmt.Errorf("%w %q", ErrNoTask, name)
}

// dag returns the definition as it was when the run was opened.
func (def *definition) dag() *dag.DAG {
	d := def.frame
	d.Tasks = make([]dag.Task, def.opened)
	for i := range d.Tasks {
		t := &d.Tasks[i]
		if c := &def.tasks[i]; c.more != nil {
			*t = c.more.task
		} else {
			t.Job.Command = c.command
		}
		t.Name = def.graph.Name(i)
		for _, p := range def.graph.Parents(i) {
			if int(p) < def.opened {
				t.Parents = append(t.Parents, def.graph.Name(int(p)))
			}
		}
	}
	return &d
}

// multipliedTo returns how many instances with names of their own task i has.
func (def *definition) multipliedTo(i int) int {
	if !def.tasks[i].multiplied() {
		return 0
	}
	return def.tasks[i].more.template.Len()
}

// withoutEdges returns a copy of t but for its edges, which are in the graph.
func withoutEdges(t *dag.Task) dag.Task {
	c := *t
	c.Parents, c.Children = nil, nil
	return c.Clone()
}
