package runner

import (
	"fmt"
	"maps"
	"slices"
	"strings"

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
	if d == nil {
		d = &dag.DAG{}
	}
	if err := expand.Validate(d); err != nil {
		return nil, err
	}
	graph, err := d.Graph()
	if err != nil {
		return nil, err
	}
	pools, err := r.pools(d)
	if err != nil {
		return nil, err
	}
	def := &definition{
		graph:  graph,
		frame:  frameOf(d),
		opened: len(d.Tasks),
		pools:  pools,
		limits: r.Limits.WithDefaults(),
	}
	if err := def.add(d.Tasks); err != nil {
		return nil, err
	}
	return def, nil
}

func frameOf(d *dag.DAG) dag.DAG {
	return dag.DAG{
		Tags:        maps.Clone(d.Tags),
		Parameters:  maps.Clone(d.Parameters),
		JobDefaults: cloneJob(d.JobDefaults),
		Pool:        d.Pool,
		PoolOptions: cloneOptions(d.PoolOptions),
	}
}

// add compiles tasks, and adds them if there is no problem with any of them.
func (def *definition) add(tasks []dag.Task) error {
	var problems *multierror.Error
	base, plannedBase := len(def.tasks), len(def.planned)
	if base+len(tasks) > def.limits.Tasks {
		return &dag.Problem{
			Text: fmt.Sprintf("%d tasks, more than the limit of %d", base+len(tasks), def.limits.Tasks),
			Hint: "raise Limits.Tasks",
		}
	}
	def.tasks = slices.Grow(def.tasks, len(tasks))
	def.planned = slices.Grow(def.planned, len(tasks))
	words := make([]string, 0, wordsOf(tasks))
	instances := def.instances
	groups := def.pools.mark()
	for i := range tasks {
		t := &tasks[i]
		c, planned, err := def.compileTask(t, &words)
		if err == nil {
			err = def.pools.place(t, def.frame.Pool, c.job(), &planned)
		}
		if err != nil {
			problems = multierror.Append(problems, err)
			if len(problems.Errors) >= maxErrors {
				break
			}
			continue
		}
		instances += planned.Instances
		def.tasks = append(def.tasks, c)
		def.planned = append(def.planned, planned)
	}
	if problems == nil && instances > def.limits.Instances {
		problems = multierror.Append(problems, &dag.Problem{
			Text: fmt.Sprintf("%d instances, more than the limit of %d",
				instances, def.limits.Instances),
			Hint: "raise Limits.Instances",
		})
	}
	if problems != nil {
		def.tasks, def.planned = def.tasks[:base], def.planned[:plannedBase]
		def.pools.reset(groups)
		return problems.ErrorOrNil()
	}
	def.instances = instances
	return nil
}

func wordsOf(tasks []dag.Task) int {
	n := 0
	for i := range tasks {
		n += len(tasks[i].Job.Command)
	}
	return n
}

// compileTask copies what the run needs of t. The words of literal commands go
// to one block of memory.
func (def *definition) compileTask(t *dag.Task, words *[]string) (taskDef, plan.Task, error) {
	planned := plan.Task{Instances: 1, Generator: t.Generator}
	if t.MaxRetries != 0 || t.RetryInterval != 0 || t.Priority != 0 || !t.NotBefore.IsZero() {
		planned.Policy = plan.Policy{
			Priority: t.Priority, MaxRetries: t.MaxRetries, RetryInterval: t.RetryInterval,
		}
		if !t.NotBefore.IsZero() {
			planned.Policy.NotBefore = max(1, t.NotBefore.UnixNano())
		}
	}
	literal := expand.Literal(t, &def.frame.JobDefaults)
	if literal && isPlain(t, &planned) {
		from := len(*words)
		*words = append(*words, t.Job.Command...)
		planned.Barrier = len(t.Job.Command) == 0
		return taskDef{command: (*words)[from:len(*words):len(*words)]}, planned, nil
	}
	template, err := expand.Expander{Limits: def.limits}.Compile(
		*t, def.frame.JobDefaults, def.frame.Parameters)
	if err != nil {
		return taskDef{}, planned, err
	}
	planned.Instances = template.Len()
	planned.Barrier = template.Groups()
	more := &taskMore{task: cloneTask(t), template: template}
	return taskDef{more: more}, planned, nil
}

// isPlain reports whether t, which is literal, has nothing but a name, a
// command and edges.
func isPlain(t *dag.Task, planned *plan.Task) bool {
	j := &t.Job
	return planned.Policy == (plan.Policy{}) && !t.Generator && t.Pool == "" &&
		len(t.Parameters) == 0 && len(j.Environment) == 0 && j.WorkDir == "" &&
		j.TimeLimit == 0 && len(j.Resources) == 0 && len(j.Options) == 0
}

// job returns the job of the task with its parameters not yet put in.
func (c *taskDef) job() dag.Job {
	if c.more != nil {
		return c.more.template.Job()
	}
	return dag.Job{Command: c.command}
}

// multiplied reports whether the instances of the task have names of their own.
func (c *taskDef) multiplied() bool { return c.more != nil && c.more.template.Multiplied() }

// instance returns the name and the job of an instance.
func (def *definition) instance(task, instance int) (string, dag.Job) {
	c := &def.tasks[task]
	if c.more == nil {
		return def.graph.Name(task), dag.Job{Command: c.command}
	}
	in := c.more.template.At(instance)
	return in.Name, in.Job
}

// name returns the name of an instance.
func (def *definition) name(task, instance int) string {
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

// clash reports a name of the new tasks, which are compiled from the given index
// on and not yet in the graph, that is also the name of an instance (D4).
func (def *definition) clash(from int, tasks []dag.Task) error {
	added := make(map[string]int, len(tasks))
	for i := range tasks {
		added[tasks[i].Name] = from + i
	}
	index := func(name string) (int, bool) {
		if i, ok := added[name]; ok {
			return i, true
		}
		return def.graph.Index(name)
	}
	for i := range tasks {
		name := tasks[i].Name
		if base, k, ok := expand.ParseInstanceName(name); ok {
			if j, ok := index(base); ok && def.multipliedTo(j) > k {
				return nameClash(name, base)
			}
		}
		if other, ok := def.instanceNamed(name, def.multipliedTo(from+i), index); ok {
			return nameClash(other, name)
		}
	}
	return nil
}

// instanceNamed returns a task that has the name of one of the n instances of
// a new task. It looks at the fewer: instances or tasks.
func (def *definition) instanceNamed(
	name string, n int, index func(string) (int, bool),
) (string, bool) {
	if n <= def.graph.Len() {
		for k := range n {
			instance := expand.InstanceName(name, k)
			if _, ok := index(instance); ok {
				return instance, true
			}
		}
		return "", false
	}
	for j := range def.graph.Len() {
		other := def.graph.Name(j)
		if !strings.HasPrefix(other, name) {
			continue
		}
		if base, k, ok := expand.ParseInstanceName(other); ok && base == name && k < n {
			return other, true
		}
	}
	return "", false
}

// multipliedTo returns how many instances with names of their own task i has.
func (def *definition) multipliedTo(i int) int {
	if !def.tasks[i].multiplied() {
		return 0
	}
	return def.tasks[i].more.template.Len()
}

func nameClash(name, base string) error {
	return &dag.Problem{
		Task: name,
		Text: fmt.Sprintf("is also the name of an instance of task %q", base),
		Hint: "rename one of them",
	}
}

func cloneTask(t *dag.Task) dag.Task {
	c := *t
	c.Job = cloneJob(t.Job)
	c.Parents, c.Children = nil, nil
	c.Parameters = maps.Clone(t.Parameters)
	return c
}

func cloneJob(j dag.Job) dag.Job {
	j.Command = slices.Clone(j.Command)
	j.Environment = slices.Clone(j.Environment)
	j.Resources = maps.Clone(j.Resources)
	j.Options = cloneOptions(j.Options)
	return j
}

func cloneOptions(m map[string]any) map[string]any {
	if m == nil {
		return nil
	}
	c := make(map[string]any, len(m))
	for k, v := range m {
		c[k] = cloneOption(v)
	}
	return c
}

func cloneOption(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return cloneOptions(v)
	case []any:
		c := make([]any, len(v))
		for i := range v {
			c[i] = cloneOption(v[i])
		}
		return c
	case []string:
		return slices.Clone(v)
	}
	return v
}
