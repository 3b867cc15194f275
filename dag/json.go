package dag

import "bytes"

// Parse reads a definition in JSON with the default [Limits]. The form is
// described in the package comment.
//
// The error has every problem with its line, column and task. Parse looks at
// each member for itself; what only shows in the whole, such as the name of a
// parent that is not there, is for [DAG.Validate] to find. It keeps nothing of
// data.
func Parse(data []byte) (*DAG, error) { return Limits{}.Parse(data) }

// Parse is [Parse] with limits. Those on Tasks, Definition and Depth apply.
func (l Limits) Parse(data []byte) (*DAG, error) {
	l = l.WithDefaults()
	d, v := newDecoder(data, l), &DAG{}
	if err := d.readAll(l.Definition, "the definition", func() { d.readDAG(v) }); err != nil {
		return nil, err
	}
	return v, nil
}

// ParseTasks reads what a generator prints, with the default [Limits]: a JSON
// object of tasks by name, in the form they have in a definition.
func ParseTasks(data []byte) ([]Task, error) { return Limits{}.ParseTasks(data) }

// ParseTasks is [ParseTasks] with limits. Those on Tasks, GeneratorOutput and
// Depth apply.
func (l Limits) ParseTasks(data []byte) ([]Task, error) {
	l = l.WithDefaults()
	d := newDecoder(data, l)
	d.generator = true
	var tasks []Task
	err := d.readAll(l.GeneratorOutput, "the output of the generator", func() {
		if k := d.kind(); k != object {
			d.expectedObject(k)
			return
		}
		tasks = d.readTasks()
	})
	if err != nil {
		return nil, err
	}
	return tasks, nil
}

// FormatTasks writes tasks in the form that [ParseTasks] reads, in order and
// with a line end, so that a generator can print it as it is. The error is that
// of [DAG.MarshalJSON].
func FormatTasks(tasks []Task) ([]byte, error) {
	var e encoder
	e.tasks(tasks)
	e.raw("\n")
	return e.done()
}

// MarshalJSON returns the definition in JSON, as [Parse] reads it: task names
// in order, every other object sorted. What has its zero value is left out.
//
// The error has a [*Problem] for each thing that JSON cannot hold: strings that
// are not UTF-8, options of types that package encoding/json refuses, and
// names that are there twice.
func (d DAG) MarshalJSON() ([]byte, error) {
	var e encoder
	e.dag(&d)
	return e.done()
}

// UnmarshalJSON is [Parse] into d. It leaves d alone on error.
func (d *DAG) UnmarshalJSON(data []byte) error {
	if isNull(data) {
		return nil
	}
	v, err := Parse(data)
	if err == nil {
		*d = *v
	}
	return err
}

// MarshalJSON returns the task in JSON, with its name as a member.
func (t Task) MarshalJSON() ([]byte, error) {
	var e encoder
	e.task(&t, true)
	return e.done()
}

// UnmarshalJSON reads what [Task.MarshalJSON] writes: a task as in a definition
// and with a member "name". It leaves t alone on error.
func (t *Task) UnmarshalJSON(data []byte) error {
	if isNull(data) {
		return nil
	}
	var v Task
	err := unmarshal(data, "the task", func(d *decoder) { d.readTask(&v, true) })
	if err == nil {
		*t = v
	}
	return err
}

// MarshalJSON returns the job in JSON, as it is in a definition.
func (j Job) MarshalJSON() ([]byte, error) {
	var e encoder
	e.job(&j)
	return e.done()
}

// UnmarshalJSON reads a job as it is in a definition. It leaves j alone on
// error.
func (j *Job) UnmarshalJSON(data []byte) error {
	if isNull(data) {
		return nil
	}
	var v Job
	err := unmarshal(data, "the job", func(d *decoder) { d.readJob(&v, "") })
	if err == nil {
		*j = v
	}
	return err
}

// MarshalJSON returns a string for a scalar and a list of strings for a list.
func (v Value) MarshalJSON() ([]byte, error) {
	var e encoder
	e.value(v)
	return e.done()
}

// UnmarshalJSON reads a string, a number, which stands for the text that it is
// written as, or a list of them. It leaves v alone on error and on null.
func (v *Value) UnmarshalJSON(data []byte) error {
	own := *v
	err := unmarshal(data, "the value", func(d *decoder) {
		if read, ok := d.readValue(); ok {
			own = read
		}
	})
	if err == nil {
		*v = own
	}
	return err
}

// isNull reports whether data is what encoding/json wants to change nothing.
func isNull(data []byte) bool { return string(bytes.TrimSpace(data)) == "null" }

// unmarshal reads data with read, within the default limits.
func unmarshal(data []byte, what string, read func(d *decoder)) error {
	l := Limits{}.WithDefaults()
	d := newDecoder(data, l)
	return d.readAll(l.Definition, what, func() { read(d) })
}
