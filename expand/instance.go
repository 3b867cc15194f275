package expand

import (
	"iter"

	"github.com/daggy-go/daggy/dag"
)

// An Instance is one concrete piece of work of a task.
type Instance struct {
	// Name is unique in the run, see [Template.Name].
	Name string
	// Index is the place of the instance in its task, from 0.
	Index int
	// Values are the parameters' values that this instance has got.
	Values Values
	// Job has them put in. CommandString is never set. Read it only: it shares
	// what has no placeholders with the task and its other instances.
	Job dag.Job
}

// Values are the values, in one instance, of the parameters that the task's job
// refers to. The zero Values are empty. They take no memory of their own, but
// keep the [Template].
type Values struct {
	template *Template
	index    int
}

// Len is the number of parameters.
func (v Values) Len() int {
	if v.template == nil {
		return 0
	}
	return len(v.template.refs)
}

// Get returns the value of a parameter, and whether the job refers to it.
func (v Values) Get(name string) (value string, ok bool) {
	for n, value := range v.All() {
		if n == name {
			return value, true
		}
	}
	return "", false
}

// All yields names and values, in the order of the names.
func (v Values) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if v.template == nil {
			return
		}
		for i := range v.template.refs {
			if r := &v.template.refs[i]; !yield(r.name, r.at(v.index)) {
				return
			}
		}
	}
}
