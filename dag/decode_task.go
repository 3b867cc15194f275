package dag

import (
	"bytes"
	"fmt"
	"slices"
)

// readTasks reads an object of tasks by name, in its order.
func (d *decoder) readTasks() []Task {
	if !d.want(object, "an object of tasks by name") {
		return nil
	}
	d.enter()
	var tasks []Task
	var places []int
	start := d.at
	for m := (member{}); d.next(&m); {
		if len(tasks) == cap(tasks) {
			n := d.sizeHint(len(tasks), start)
			tasks, places = slices.Grow(tasks, n), slices.Grow(places, n)
		}
		if len(tasks) >= d.maxTasks {
			d.wreck(m.at, fmt.Sprintf("more than %d tasks", d.maxTasks), "")
			break
		}
		tasks, places = append(tasks, Task{Name: d.names.string(m.key)}), append(places, m.at)
		d.readTask(&tasks[len(tasks)-1], false)
	}
	d.task, d.prefix = "", ""
	d.in("")
	d.uniqueNames(tasks, places)
	return tasks
}

// uniqueNames reports names that are there twice.
func (d *decoder) uniqueNames(tasks []Task, places []int) {
	duplicates(tasks, func(first, second int) {
		if d.full() {
			d.more++
			return
		}
		d.task = tasks[second].Name
		line := 1 + bytes.Count(d.data[:places[first]], []byte{'\n'})
		d.report(places[second], fmt.Sprintf("line %d has a task of this name already", line),
			"names are identity: rename one of them")
	})
	d.task = ""
}

// duplicates calls f for each task that has the name of an earlier one.
func duplicates(tasks []Task, f func(first, second int)) {
	names := make([]string, len(tasks))
	table := newNameTable(len(tasks))
	for i := range tasks {
		names[i] = tasks[i].Name
		h := table.hash(names[i])
		first, slot := table.find(names, names[i], h)
		if first >= 0 {
			f(int(first), i)
			continue
		}
		table.put(i, h, slot)
	}
}

// readTask reads a task. If it stands alone, it says its name itself.
func (d *decoder) readTask(t *Task, alone bool) {
	d.task, d.prefix, d.jobSeen = t.Name, "", 0
	d.in("")
	if k := d.kind(); k == null {
		d.report(d.start, "this must be an object, not null", "a task that only groups is {}")
	}
	if !d.want(object, "an object") {
		return
	}
	d.enter()
	for m := (member{}); d.next(&m); {
		switch name, first := d.known(&m, taskMembers); {
		case name == "":
			d.unknown(&m, taskMembers, d.taskHint(t.Name, string(m.key)))
		case first && name == "name":
			d.readTaskName(t, alone)
		case first:
			d.readTaskMember(t, &m, name)
		}
	}
}

func (d *decoder) readTaskMember(t *Task, m *member, name string) {
	switch name {
	case "job":
		d.readJob(&t.Job, "job.")
	case "parents":
		t.Parents = d.readNames()
	case "children":
		t.Children = d.readNames()
	case "parameters":
		t.Parameters = d.readParameters()
	case "isGenerator":
		t.Generator = d.readBool()
	case "maxRetries":
		t.MaxRetries = int(d.readInt())
	case "retryIntervalSeconds", "retry":
		// Two names of one member.
		if m.seen&retryMembers == retryMembers {
			d.report(m.at, "retry and retryIntervalSeconds are the same", "remove one of them")
			d.skip()
			return
		}
		t.RetryInterval = d.readSeconds()
	case "notBefore":
		t.NotBefore = d.readTime()
	case "pool":
		t.Pool = d.readName()
	case "priority":
		t.Priority = int(d.readInt())
	case "command", "commandString":
		d.readAlias(&t.Job, m, name)
	}
}

var retryMembers = uint32(1<<slices.Index(taskMembers, "retry") |
	1<<slices.Index(taskMembers, "retryIntervalSeconds"))

// readTaskName reads a name that the key says already, unless there is none.
func (d *decoder) readTaskName(t *Task, alone bool) {
	at := d.at
	name := d.readName()
	if alone {
		t.Name = name
	} else if name != t.Name && !d.broken {
		d.report(at, fmt.Sprintf("the task cannot be named %s here", quote(name)),
			"the key of the task is its name; leave this member out")
	}
}

func (d *decoder) taskHint(task, key string) string {
	switch {
	case caseTwin(key, taskMembers) != "":
		return ""
	case slices.Contains(jobMembers, key):
		return fmt.Sprintf(`it belongs into "job": {%q: …}`, key)
	case d.generator && task == "tasks":
		return `a generator prints its tasks by name, without {"tasks": …} around them`
	}
	return ""
}

// readAlias reads a member of the job that stands beside it.
func (d *decoder) readAlias(j *Job, m *member, name string) {
	bit := uint32(1) << slices.Index(jobMembers, name)
	if d.jobSeen&bit != 0 {
		d.report(m.at, fmt.Sprintf(`it is the same as "job": {%q: …}, which is there too`, name),
			"remove one of them")
		d.skip()
		return
	}
	d.jobSeen |= bit
	d.readJobMember(j, name)
}

// readJob reads a job, which may have jobSeen already.
func (d *decoder) readJob(j *Job, prefix string) {
	if !d.want(object, "an object") {
		return
	}
	d.enter()
	outer := d.prefix
	d.prefix = prefix
	for m := (member{seen: d.jobSeen}); d.next(&m); d.jobSeen = m.seen {
		switch name, first := d.known(&m, jobMembers); {
		case first:
			d.readJobMember(j, name)
		case name == "" && caseTwin(string(m.key), jobMembers) != "":
			d.unknown(&m, jobMembers, "")
		case name == "":
			// All else is for the executor.
			d.in(string(m.key))
			d.readOption(&j.Options, &m)
		}
	}
	d.prefix = outer
}

func (d *decoder) readJobMember(j *Job, name string) {
	switch name {
	case "command":
		d.readCommand(j)
	case "commandString":
		j.CommandString = d.readName()
	case "environment":
		j.Environment = d.readEnvironment()
	case "workDir":
		j.WorkDir = d.readName()
	case "timeLimitSeconds":
		j.TimeLimit = d.readSeconds()
	case "resources":
		d.readResources(&j.Resources)
	case Cores, MemoryMB, GPUs:
		if _, there := j.Resources[name]; there {
			d.report(d.at, fmt.Sprintf(`"resources" has %s already`, name), "remove one of them")
			d.skip()
			return
		}
		d.readResource(&j.Resources, name)
	}
}

func (d *decoder) readCommand(j *Job) {
	if d.kind() == text {
		d.report(d.start, "this must be a list of strings, not a string",
			`give the words one by one, or name the member "commandString"`)
		d.skip()
		return
	}
	j.Command = d.readList()
}
