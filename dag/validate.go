package dag

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Validate reports everything that is wrong with the structure of d: names,
// dependencies, cycles, numbers that make no sense, members that contradict
// each other or have no effect, and texts that could not be written to a log.
// It does not look at what parameters do to tasks (see package expand) nor at
// what an executor makes of a job.
//
// The error is as [Problem] says; [errors.Is] finds [ErrInvalid] in it. Time is
// linear in the size of d.
func (d *DAG) Validate() error {
	_, err := d.ValidGraph()
	return err
}

// ValidGraph does what [DAG.Validate] and [DAG.Graph] do, and looks at each task
// only once for both.
func (d *DAG) ValidGraph() (*Graph, error) {
	v := validator{found: new(problems)}
	v.texts("tags", d.Tags)
	v.parameters(d.Parameters)
	v.unknownParameters(d)
	v.job("jobDefaults.", &d.JobDefaults)
	v.pool(d)
	g := newGraph(d.Tasks, v.found, validateTask)
	if err := v.found.err(); err != nil {
		return nil, err
	}
	return g, nil
}

// validateTask is the part of Validate that concerns a task alone.
func validateTask(t *Task, found *problems) {
	v := validator{found: found}
	v.task(t)
}

// A validator collects the problems of a definition.
type validator struct {
	found *problems
	name  string // of the task that it looks at
	// prefix of the fields of what it looks at: "job.". Put together only when
	// there is a problem.
	prefix string
}

func (v *validator) problem(field, text, hint string) {
	field = strings.TrimSuffix(v.prefix+field, ".")
	v.found.add(&Problem{Task: v.name, Field: field, Text: text, Hint: hint})
}

func (v *validator) text(field, s string) {
	if !utf8.ValidString(s) {
		v.problem(field, "the text is not valid UTF-8", "JSON and so the log cannot hold it")
	}
}

// argument checks a text that goes to a process.
func (v *validator) argument(field string, s string) {
	v.text(field, s)
	if strings.IndexByte(s, 0) >= 0 {
		v.problem(field, "no process can be given a NUL byte", "")
	}
}

func (v *validator) texts(field string, texts map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		v.text(field, name)
		v.text(field+"."+name, texts[name])
	}
}

func (v *validator) pool(d *DAG) {
	const field = "executionParameters"
	v.text(field+".pool", d.Pool)
	v.options(field+".poolParameters", d.PoolOptions)
	if len(d.PoolOptions) == 0 || len(d.Tasks) == 0 {
		return
	}
	uses := func(t Task) bool { return t.Generator || t.Pool == "" || t.Pool == d.Pool }
	if !slices.ContainsFunc(d.Tasks, uses) {
		v.problem(field+".poolParameters",
			fmt.Sprintf("they have no effect, as no task uses the pool %q", d.Pool),
			"only tasks of this pool are given them")
	}
}

func (v *validator) task(t *Task) {
	v.name = t.Name
	v.job("job.", &t.Job)
	v.parameters(t.Parameters)
	if t.MaxRetries < 0 {
		v.problem("maxRetries", fmt.Sprintf("%d is less than nothing", t.MaxRetries), "0 is none")
	}
	v.duration("retryIntervalSeconds", t.RetryInterval)
	if at := t.NotBefore.UTC(); !at.IsZero() && !printableYear(at) {
		v.problem("notBefore", fmt.Sprintf("RFC 3339 has no year %d", at.Year()), "")
	}
	v.text("pool", t.Pool)
	v.name = ""
}

func (v *validator) duration(field string, d time.Duration) {
	if d < 0 {
		v.problem(field, fmt.Sprintf("%v is less than nothing", d), "0 is none")
	}
}

func (v *validator) parameters(p Parameters) {
	if len(p) == 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(p)) {
		v.parameter(name, p[name])
	}
}

// unknownParameters reports the values that With found no use for.
func (v *validator) unknownParameters(d *DAG) {
	if len(d.unknown) == 0 {
		return
	}
	guess, names := newGuesser(), slices.Sorted(maps.Keys(d.Parameters))
	for _, name := range d.unknown {
		if _, there := d.Parameters[name]; !there {
			v.problem("parameters."+shorten(name),
				"a value was given, but there is no such parameter", guess.didYouMean(name, names))
		}
	}
}

func (v *validator) parameter(name string, value Value) {
	field := "parameters." + shorten(name)
	if name == "" || strings.ContainsFunc(name, notInParameterName) {
		v.problem(field, fmt.Sprintf("%s cannot be the name of a parameter", quote(name)),
			"use letters, digits, _ and -")
	}
	if value.isList && len(value.list) == 0 {
		v.problem(field, "the list is empty, so that no instance would be left",
			"give it a value or remove the tasks that need one")
	}
	v.text(field, value.scalar)
	for i, s := range value.list {
		if !utf8.ValidString(s) {
			v.text(fmt.Sprintf("%s[%d]", field, i), s)
		}
	}
}

func notInParameterName(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_', r == '-':
		return false
	}
	return true
}

func (v *validator) job(prefix string, j *Job) {
	v.prefix = prefix
	if j.Command != nil && j.CommandString != "" {
		v.problem("", "it has both command and commandString",
			"they are two forms of the same: remove one")
	}
	for i, word := range j.Command {
		if !plainText(word) {
			v.argument(fmt.Sprintf("command[%d]", i), word)
		}
	}
	v.commandString(j.CommandString)
	for i, entry := range j.Environment {
		if strings.IndexByte(entry, '=') < 1 || !plainText(entry) {
			v.entry(fmt.Sprintf("environment[%d]", i), entry)
		}
	}
	if !plainText(j.WorkDir) {
		v.argument("workDir", j.WorkDir)
	}
	v.duration("timeLimitSeconds", j.TimeLimit)
	v.resources(j.Resources)
	v.jobOptions(j.Options)
	v.prefix = ""
}

// entry checks an environment entry that is not plainly right.
func (v *validator) entry(field, entry string) {
	v.argument(field, entry)
	switch strings.IndexByte(entry, '=') {
	case -1:
		v.problem(field, quote(entry)+" has no =", `write it as "KEY=value"`)
	case 0:
		v.problem(field, quote(entry)+" has no name", `write it as "KEY=value"`)
	}
}

func (v *validator) resources(r Resources) {
	if len(r) == 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(r)) {
		v.text("resources", name)
		switch {
		case name == "":
			v.problem("resources", "a resource needs a name", "")
		case r[name] < 0:
			v.problem(name, fmt.Sprintf("%d is less than nothing", r[name]), "")
		}
	}
}

func (v *validator) jobOptions(o map[string]any) {
	if len(o) == 0 {
		return
	}
	for _, name := range jobMembers {
		if _, there := o[name]; there {
			v.problem(name, "an option cannot have the name of a member of the job",
				"set the field of the job instead")
		}
	}
	v.options(strings.TrimSuffix(v.prefix, "."), o)
}

// options checks that they can be written as JSON.
func (v *validator) options(field string, o map[string]any) {
	if len(o) == 0 {
		return
	}
	e := encoder{b: []byte("{"), name: v.name}
	e.options(o, field)
	v.found.merge(&e.found)
}
