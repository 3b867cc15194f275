package expand

import (
	"slices"
	"strconv"
	"strings"

	"github.com/daggy-go/daggy/dag"
)

// A Template is a task from which instances are made, one by one and as they
// are needed. [Compile] makes one.
//
// It does not change, and any number of goroutines may use it at once. What it
// returns shares slices and maps with it: read them only.
type Template struct {
	name string
	// job has the defaults, the split command and the values of scalars; the
	// placeholders of lists are left in it.
	job    dag.Job
	groups bool
	refs   []reference // by name
	axes   int         // the number of lists among refs
	count  int         // the product of their lengths

	// What differs between instances.
	words, environment []element
	workDir            text
	// The options as they were written, and what each string with placeholders
	// in them stands for. Nil if they are the same in all instances.
	options     map[string]any
	optionTexts map[string]text
	// fixed is the length of all literals in these texts, the options' apart.
	fixed int
}

// A reference is a parameter that the job refers to.
type reference struct {
	name  string
	value dag.Value
	axis  int // its number among the lists, or noAxis
	step  int // instances between a change of the value and the next
	uses  int // how often the texts contain it, the options' apart
}

// at is the parameter's value in instance i.
func (r *reference) at(i int) string {
	if r.axis == noAxis {
		return r.value.At(0)
	}
	// With one list neither is needed, and divisions take their time.
	if r.step > 1 {
		i /= r.step
	}
	if n := r.value.Len(); i >= n {
		i %= n
	}
	return r.value.At(i)
}

// An element is one string of several that differs between instances.
type element struct {
	index int
	text  text
}

// measure sums up how much room the texts of an instance need.
func (c *compiler) measure() {
	t := c.out
	uses := make([]int, t.axes)
	count := func(x text) {
		if x.whole() {
			return // it takes no room
		}
		for _, p := range x {
			t.fixed += len(p.literal)
			if p.axis != noAxis {
				uses[p.axis]++
			}
		}
	}
	for _, e := range t.words {
		count(e.text)
	}
	for _, e := range t.environment {
		count(e.text)
	}
	count(t.workDir)
	for i := range t.refs {
		if r := &t.refs[i]; r.axis != noAxis {
			r.uses = uses[r.axis]
		}
	}
}

// Task is the name of the task.
func (t *Template) Task() string { return t.name }

// Len is the number of instances, at least 1.
func (t *Template) Len() int { return t.count }

// Multiplied reports whether the job refers to a list parameter, so that the
// instances are named task_1, task_2 and so on (D2, D4).
func (t *Template) Multiplied() bool { return t.axes > 0 }

// Groups reports whether the task only groups other tasks (D9): with defaults
// it has no command, and it has no options of its own. It is done at once and
// no executor sees it.
func (t *Template) Groups() bool { return t.groups }

// Resources are what each instance needs. Placeholders have no meaning there,
// so they are the same for all.
func (t *Template) Resources() dag.Resources { return t.job.Resources }

// Job is what the jobs of all instances have in common, for checks before
// anything starts: defaults are filled in, CommandString has become Command and
// the values of scalar parameters are put in, but where a value of a list goes
// {{NAME}} still stands. If the task is not multiplied it is the job of its one
// instance.
func (t *Template) Job() dag.Job { return t.job }

// Name is the name of instance i, counted from 0: task_1 for 0 if the task is
// multiplied, and else the task's own. It panics if i is not below Len.
func (t *Template) Name(i int) string {
	t.check(i)
	if t.axes == 0 {
		return t.name
	}
	return InstanceName(t.name, i)
}

// Index returns the index of the instance with this name, and whether there is
// one. It is the reverse of Name.
func (t *Template) Index(name string) (i int, ok bool) {
	if t.axes == 0 {
		return 0, name == t.name
	}
	task, i, ok := ParseInstanceName(name)
	if !ok || task != t.name || i >= t.count {
		return 0, false
	}
	return i, true
}

func (t *Template) check(i int) {
	if i < 0 || i >= t.count {
		panic("expand: instance " + strconv.Itoa(i) + " of " + strconv.Itoa(t.count) +
			" of task " + strconv.Quote(t.name))
	}
}

// At makes instance i, counted from 0. Nothing of it is kept. It panics if i is
// not below Len.
func (t *Template) At(i int) Instance {
	return Instance{Name: t.Name(i), Index: i, Values: Values{t, i}, Job: t.JobAt(i)}
}

// JobAt is the job of instance i alone, see [Template.At].
func (t *Template) JobAt(i int) dag.Job {
	t.check(i)
	job := t.job
	if t.axes == 0 {
		return job
	}
	// Few tasks refer to more lists than this.
	var room [8]string
	values, size := room[:0], t.fixed
	for k := range t.refs {
		if r := &t.refs[k]; r.axis != noAxis {
			v := r.at(i)
			values = append(values, v)
			size += r.uses * len(v)
		}
	}
	var b strings.Builder
	b.Grow(size)
	job.Command = listAt(t.job.Command, t.words, values, &b)
	job.Environment = listAt(t.job.Environment, t.environment, values, &b)
	if t.workDir != nil {
		job.WorkDir = t.workDir.at(values, &b)
	}
	if t.options != nil {
		// A copy: what a closure refers to is on the heap, for every instance.
		job.Options = t.optionsAt(append([]string(nil), values...))
	}
	return job
}

// listAt returns base with the texts of what differs. If nothing does it is
// shared.
func listAt(base []string, varying []element, values []string, b *strings.Builder) []string {
	if len(varying) == 0 {
		return base
	}
	list := slices.Clone(base)
	for _, e := range varying {
		list[e.index] = e.text.at(values, b)
	}
	return list
}

func (t *Template) optionsAt(values []string) map[string]any {
	w := rewriter{text: func(s string) string {
		x, ok := t.optionTexts[s]
		if !ok {
			return s
		}
		var b strings.Builder
		return x.at(values, &b)
	}}
	return w.options(t.options)
}
