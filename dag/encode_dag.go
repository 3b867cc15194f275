package dag

import (
	"bytes"
	"maps"
	"slices"
)

func (e *encoder) dag(d *DAG) {
	e.raw("{")
	if len(d.Tags) > 0 {
		e.key("tags")
		e.raw("{")
		for _, name := range slices.Sorted(maps.Keys(d.Tags)) {
			e.key(name)
			e.string(d.Tags[name], "tags")
		}
		e.raw("}")
	}
	if len(d.Parameters) > 0 {
		e.key("parameters")
		e.parameters(d.Parameters)
	}
	// A job of defaults that says nothing is {}.
	if start := len(e.b); true {
		e.key("jobDefaults")
		if e.job(&d.JobDefaults); bytes.HasSuffix(e.b, []byte("{}")) {
			e.b = e.b[:start]
		}
	}
	e.pool(d)
	e.key("tasks")
	e.tasks(d.Tasks)
	e.raw("}")
}

func (e *encoder) pool(d *DAG) {
	if d.Pool == "" && len(d.PoolOptions) == 0 {
		return
	}
	e.key("executionParameters")
	e.raw("{")
	if d.Pool != "" {
		e.key("pool")
		e.string(d.Pool, "executionParameters.pool")
	}
	if len(d.PoolOptions) > 0 {
		e.key("poolParameters")
		e.raw("{")
		e.options(d.PoolOptions, "executionParameters.poolParameters")
		e.raw("}")
	}
	e.raw("}")
}

func (e *encoder) tasks(tasks []Task) {
	duplicates(tasks, func(first, second int) {
		e.found.add(duplicateName(tasks[second].Name, first, second))
	})
	e.raw("{")
	const sample = 1000
	start := len(e.b)
	for i := range tasks {
		if i == sample {
			// The rest will be like this, in one allocation.
			e.b = slices.Grow(e.b, (len(e.b)-start)/sample*(len(tasks)-sample)*9/8)
		}
		e.name = tasks[i].Name
		e.key(tasks[i].Name)
		e.task(&tasks[i], false)
	}
	e.name = ""
	e.raw("}")
}

// task writes a task, with its name if it stands alone.
func (e *encoder) task(t *Task, alone bool) {
	e.raw("{")
	if alone {
		e.key("name")
		e.string(t.Name, "name")
	}
	start := len(e.b)
	e.key("job")
	if e.job(&t.Job); bytes.HasSuffix(e.b, []byte("{}")) {
		e.b = e.b[:start]
	}
	if len(t.Parents) > 0 {
		e.key("parents")
		e.strings(t.Parents, "parents")
	}
	if len(t.Children) > 0 {
		e.key("children")
		e.strings(t.Children, "children")
	}
	if len(t.Parameters) > 0 {
		e.key("parameters")
		e.parameters(t.Parameters)
	}
	e.schedule(t)
	e.raw("}")
}

// schedule writes the members that say how often, when and where.
func (e *encoder) schedule(t *Task) {
	if t.Generator {
		e.key("isGenerator")
		e.raw("true")
	}
	if t.MaxRetries != 0 {
		e.key("maxRetries")
		e.int(int64(t.MaxRetries))
	}
	if t.RetryInterval != 0 {
		e.key("retryIntervalSeconds")
		e.b = appendSeconds(e.b, t.RetryInterval)
	}
	if !t.NotBefore.IsZero() {
		e.key("notBefore")
		e.time(t.NotBefore)
	}
	if t.Pool != "" {
		e.key("pool")
		e.string(t.Pool, "pool")
	}
	if t.Priority != 0 {
		e.key("priority")
		e.int(int64(t.Priority))
	}
}

func (e *encoder) parameters(p Parameters) {
	e.raw("{")
	for _, name := range slices.Sorted(maps.Keys(p)) {
		e.key(name)
		e.value(p[name])
	}
	e.raw("}")
}

func (e *encoder) value(v Value) {
	if v.isList {
		e.strings(v.list, "parameters")
	} else {
		e.string(v.scalar, "parameters")
	}
}

func (e *encoder) job(j *Job) {
	e.raw("{")
	if j.Command != nil {
		e.key("command")
		e.strings(j.Command, "job.command")
	}
	if j.CommandString != "" {
		e.key("commandString")
		e.string(j.CommandString, "job.commandString")
	}
	if len(j.Environment) > 0 {
		e.key("environment")
		e.strings(j.Environment, "job.environment")
	}
	if j.WorkDir != "" {
		e.key("workDir")
		e.string(j.WorkDir, "job.workDir")
	}
	if j.TimeLimit != 0 {
		e.key("timeLimitSeconds")
		e.b = appendSeconds(e.b, j.TimeLimit)
	}
	e.resources(j.Resources)
	if len(j.Options) > 0 {
		e.jobOptions(j.Options)
	}
	e.raw("}")
}

func (e *encoder) jobOptions(o map[string]any) {
	for _, name := range jobMembers {
		if _, there := o[name]; there {
			e.problem("job."+name, "an option cannot have the name of a member of the job", "")
		}
	}
	e.options(o, "job")
}

// resources writes those with members of their own, then the others.
func (e *encoder) resources(r Resources) {
	own := 0
	for _, name := range [...]string{Cores, MemoryMB, GPUs} {
		if v, there := r[name]; there {
			e.key(name)
			e.int(v)
			own++
		}
	}
	if len(r) == own {
		return
	}
	e.key("resources")
	e.raw("{")
	for _, name := range slices.Sorted(maps.Keys(r)) {
		if name != Cores && name != MemoryMB && name != GPUs {
			e.key(name)
			e.int(r[name])
		}
	}
	e.raw("}")
}

// options writes members that can be anything.
func (e *encoder) options(o map[string]any, field string) {
	if len(o) == 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		e.key(name)
		e.any(o[name], field+"."+name)
	}
}
