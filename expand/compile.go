package expand

import (
	"fmt"
	"slices"
	"strings"

	"github.com/daggy-go/daggy/dag"
)

// Compile prepares t for being made into instances: it fills in the defaults
// (D6), splits the commandString, finds the parameters that the job refers to,
// and cuts its strings at their placeholders (D3). Parameters are p, the DAG's,
// and t's own, which override them.
//
// The Template keeps what it needs of the arguments, which must not be altered
// while it is in use. The error holds every problem, each a [*dag.Problem]; the
// default [dag.Limits] hold, see [Expander] for others. Edges, and the clash of
// names with other tasks (D4), are not looked at.
func Compile(t dag.Task, defaults dag.Job, p dag.Parameters) (*Template, error) {
	return Expander{}.Compile(t, defaults, p)
}

// Compile is the function [Compile] within the limits of x.
func (x Expander) Compile(t dag.Task, defaults dag.Job, p dag.Parameters) (*Template, error) {
	var found problems
	template := compile(&t, &defaults, p, x.Limits.WithDefaults().Product, &found)
	if err := found.err(); err != nil {
		return nil, err
	}
	return template, nil
}

// A compiler makes the template of one task.
type compiler struct {
	task     *dag.Task
	defaults *dag.Job
	params   dag.Parameters
	found    *problems
	out      *Template
	texts    []text // those with values of lists in them
}

// compile returns the template of t. If it adds to found, that can make no
// instances.
func compile(
	t *dag.Task, defaults *dag.Job, params dag.Parameters, limit int, found *problems,
) *Template {
	job := t.Job
	if !isZero(defaults) {
		job = job.WithDefaults(*defaults)
	}
	c := compiler{
		task: t, defaults: defaults, params: params, found: found,
		out: &Template{name: t.Name, job: job},
	}
	c.command()
	c.environment()
	c.out.workDir, c.out.job.WorkDir = c.text(job.WorkDir, place{
		field: "workDir", defaults: t.Job.WorkDir == "",
	})
	c.options()
	c.out.groups = len(c.out.job.Command) == 0 && len(t.Job.Options) == 0
	c.sortParameters()
	c.multiply(limit)
	c.measure()
	return c.out
}

func (c *compiler) command() {
	job, own := &c.out.job, &c.task.Job
	at := place{field: "command", list: true}
	at.defaults = own.Command == nil && own.CommandString == ""
	if job.CommandString != "" {
		at.field, at.list = "commandString", false
		if job.Command != nil {
			c.problem(place{defaults: at.defaults}, "it has both command and commandString",
				func() string { return "they are two forms of the same: remove one" })
		}
		words, err := Split(job.CommandString)
		if err != nil {
			c.problem(at, err.Error(), nil)
		}
		job.Command, job.CommandString = words, ""
	}
	job.Command, c.out.words = c.list(job.Command, func(i int, word string) place {
		at.index, at.entry = i, word
		return at
	})
}

func (c *compiler) environment() {
	job, own := &c.out.job, c.task.Job.Environment
	job.Environment, c.out.environment = c.list(job.Environment, func(_ int, entry string) place {
		at := place{field: "environment", list: true, index: slices.Index(own, entry), entry: entry}
		if at.index < 0 {
			at.index, at.defaults = slices.Index(c.defaults.Environment, entry), true
		}
		return at
	})
}

// list returns in with the values of scalars put in, and the texts of those
// elements that differ between instances. In itself is not altered.
func (c *compiler) list(
	in []string, at func(i int, s string) place,
) (out []string, varying []element) {
	out = in
	for i, s := range in {
		if !hasPlaceholder(s) {
			continue
		}
		if &out[0] == &in[0] {
			out = slices.Clone(in)
		}
		var t text
		if t, out[i] = c.text(s, at(i, s)); t != nil {
			varying = append(varying, element{index: i, text: t})
		}
	}
	return out, varying
}

// options prepares a text for each different string that has placeholders, for
// the options are walked again for each instance.
func (c *compiler) options() {
	raw := c.out.job.Options
	if len(raw) == 0 {
		return
	}
	texts, varies := map[string]text{}, false
	w := rewriter{wantPath: true}
	w.text = func(s string) string {
		if !hasPlaceholder(s) {
			return s
		}
		_, own := c.task.Job.Options[w.path[0]]
		t, rendered := c.text(s, place{field: strings.Join(w.path, ""), defaults: !own})
		if t == nil {
			t = text{{literal: rendered, axis: noAxis}}
		} else {
			varies = true
		}
		texts[s] = t
		return rendered
	}
	c.out.job.Options = w.options(raw)
	if w.tooDeep {
		c.problem(place{}, fmt.Sprintf("options are nested deeper than %d levels", maxDepth), nil)
	}
	if varies {
		c.out.options, c.out.optionTexts = raw, texts
	}
}

// text cuts s at its placeholders. It returns s with the values of scalars put
// in; if s refers to lists, their placeholders are left in it, and the text for
// the instances is returned too.
func (c *compiler) text(s string, at place) (t text, rendered string) {
	p, found := findPlaceholder(s, 0)
	if !found {
		return nil, s
	}
	var literal, whole strings.Builder
	add := func(s string) { literal.WriteString(s); whole.WriteString(s) }
	done := 0
	for ; found; p, found = findPlaceholder(s, done) {
		if p.escaped {
			add(s[done : p.start-1])
			add(s[p.start:p.end])
			done = p.end
			continue
		}
		add(s[done:p.start])
		done = p.end
		r := c.refer(p.name)
		switch {
		case r == nil:
			c.unknown(p.name, at)
		case r.axis == noAxis:
			add(r.value.At(0))
		default:
			whole.WriteString(s[p.start:p.end])
			t = append(t, part{literal: literal.String(), axis: r.axis})
			literal.Reset()
		}
	}
	add(s[done:])
	if t == nil {
		return nil, whole.String()
	}
	t = append(t, part{literal: literal.String(), axis: noAxis})
	c.texts = append(c.texts, t)
	return t, whole.String()
}

// refer returns the parameter of this name and notes that the job refers to
// it, or nil.
func (c *compiler) refer(name string) *reference {
	refs := c.out.refs
	for i := range refs {
		if refs[i].name == name {
			return &refs[i]
		}
	}
	v, ok := c.task.Parameters[name]
	if !ok {
		if v, ok = c.params[name]; !ok {
			return nil
		}
	}
	r := reference{name: name, value: v, axis: noAxis}
	if v.IsList() {
		r.axis = c.out.axes
		c.out.axes++
	}
	c.out.refs = append(refs, r)
	return &c.out.refs[len(refs)]
}

// sortParameters gives the parameters their order (D4). Until here axes are
// numbered as they were found.
func (c *compiler) sortParameters() {
	refs := c.out.refs
	slices.SortFunc(refs, func(a, b reference) int { return strings.Compare(a.name, b.name) })
	order, next := make([]int, c.out.axes), 0
	for i := range refs {
		if refs[i].axis != noAxis {
			order[refs[i].axis] = next
			refs[i].axis = next
			next++
		}
	}
	for _, t := range c.texts {
		for i := range t {
			if t[i].axis != noAxis {
				t[i].axis = order[t[i].axis]
			}
		}
	}
}
