package runner

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/daggy-go/daggy/dag"
)

// sameDefinition compares a definition with the one a run was opened with, and
// names what is different (R9). From which end an edge was given does not
// matter, nor does the order of the tasks: the recorded one stands.
func sameDefinition(id string, was, is *dag.DAG) error {
	var changes []string
	note := func(format string, args ...any) {
		if len(changes) < maxReasonTasks {
			changes = append(changes, fmt.Sprintf(format, args...))
		}
	}
	for _, m := range []struct {
		name    string
		was, is any
	}{
		{"tags", was.Tags, is.Tags},
		{"parameters", was.Parameters, is.Parameters},
		{"jobDefaults", was.JobDefaults, is.JobDefaults},
		{"pool", was.Pool, is.Pool},
		{"poolParameters", was.PoolOptions, is.PoolOptions},
	} {
		if !sameJSON(m.was, m.is) {
			note("%s changed", m.name)
		}
	}
	old, now := byName(was), byName(is)
	for i := range was.Tasks {
		name := was.Tasks[i].Name
		t, ok := now[name]
		switch {
		case !ok:
			note("task %q is gone", name)
		case !sameJSON(old[name], t):
			note("task %q changed", name)
		}
	}
	for i := range is.Tasks {
		if _, ok := old[is.Tasks[i].Name]; !ok {
			note("task %q is new", is.Tasks[i].Name)
		}
	}
	if len(changes) == 0 {
		return nil
	}
	return fmt.Errorf("%w: run %s: %s; use another ID", ErrDefinitionChanged, id,
		strings.Join(changes, ", "))
}

// byName returns the tasks with all edges in Parents, in a fixed order.
func byName(d *dag.DAG) map[string]dag.Task {
	tasks := make(map[string]dag.Task, len(d.Tasks))
	for _, t := range d.Tasks {
		t.Parents, t.Children = slices.Clone(t.Parents), nil
		tasks[t.Name] = t
	}
	for i := range d.Tasks {
		for _, c := range d.Tasks[i].Children {
			if t, ok := tasks[c]; ok {
				t.Parents = append(t.Parents, d.Tasks[i].Name)
				tasks[c] = t
			}
		}
	}
	for name, t := range tasks {
		slices.Sort(t.Parents)
		t.Parents = slices.Compact(t.Parents)
		tasks[name] = t
	}
	return tasks
}

func sameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && (bytes.Equal(x, y) || isEmpty(x) && isEmpty(y))
}

// isEmpty treats what is nil like what is empty.
func isEmpty(b []byte) bool {
	s := string(b)
	return s == "null" || s == "{}" || s == "[]" || s == `""`
}
