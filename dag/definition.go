package dag

import (
	"maps"
	"reflect"
	"slices"
)

// Splice adds tasks that the task named generator has made, on the terms of
// [Graph.Splice]: each gets the generator as a parent, next to those that it
// names. It is all or nothing: on error, which is as that of [DAG.Validate], d
// is as before. The problems of d itself are not its business, as long as its
// graph can be made.
//
// It makes that graph anew; who splices often keeps a [Graph].
func (d *DAG) Splice(generator string, tasks []Task) error {
	g, err := d.Graph()
	if err != nil {
		return err
	}
	var found problems
	at, ok := g.Index(generator)
	if !ok {
		found.add(&Problem{
			Task: generator, Text: "there is no task of this name to splice after",
			Hint: newGuesser().didYouMean(generator, g.names),
		})
		return found.err()
	}
	for i := range tasks {
		validateTask(&tasks[i], &found)
	}
	g.splice(at, tasks, &found)
	if err := found.err(); err != nil {
		return err
	}
	all := slices.Grow(slices.Clone(d.Tasks), len(tasks))
	for _, t := range tasks {
		t = t.Clone()
		if !slices.Contains(t.Parents, generator) {
			t.Parents = append(t.Parents, generator)
		}
		all = append(all, t)
	}
	d.Tasks = all
	return nil
}

// With returns a copy of d in which the parameters in p have the values that
// they have there. It is for parameters that d has: a name that is not in
// d.Parameters was mistyped, which [DAG.Validate] of the copy reports.
func (d *DAG) With(p Parameters) *DAG {
	c := d.Clone()
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if _, there := d.Parameters[name]; there {
			c.Parameters[name] = p[name]
		} else {
			c.unknown = append(slices.Clip(c.unknown), name)
		}
	}
	return c
}

// Clone returns a copy that shares nothing with d that either could alter,
// but for what options hold other than maps, lists and plain values.
func (d *DAG) Clone() *DAG {
	c := *d
	c.Tags = maps.Clone(d.Tags)
	c.Parameters = d.Parameters.Clone()
	c.JobDefaults = d.JobDefaults.Clone()
	c.PoolOptions = cloneOptions(d.PoolOptions)
	c.Tasks = slices.Clone(d.Tasks)
	for i := range c.Tasks {
		c.Tasks[i] = c.Tasks[i].Clone()
	}
	return &c
}

// Clone returns a copy on the terms of [DAG.Clone].
func (t Task) Clone() Task {
	t.Job = t.Job.Clone()
	t.Parents, t.Children = slices.Clone(t.Parents), slices.Clone(t.Children)
	t.Parameters = t.Parameters.Clone()
	return t
}

// Clone returns a copy on the terms of [DAG.Clone].
func (j Job) Clone() Job {
	j.Command, j.Environment = slices.Clone(j.Command), slices.Clone(j.Environment)
	j.Resources = maps.Clone(j.Resources)
	j.Options = cloneOptions(j.Options)
	return j
}

// Clone returns a copy that shares nothing with p.
func (p Parameters) Clone() Parameters {
	// The lists in values cannot be altered from outside.
	return maps.Clone(p)
}

func cloneOptions(o map[string]any) map[string]any {
	c := maps.Clone(o)
	for name, v := range c {
		c[name] = cloneAny(v)
	}
	return c
}

func cloneAny(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return cloneOptions(v)
	case []any:
		c := slices.Clone(v)
		for i := range c {
			c[i] = cloneAny(c[i])
		}
		return c
	case nil, string, bool, int, int64, float64:
		return v
	default:
		return cloneTyped(reflect.ValueOf(v)).Interface()
	}
}

// cloneTyped copies the slices and maps of other types that Go programs may
// put into options.
func cloneTyped(v reflect.Value) reflect.Value {
	switch {
	case v.Kind() == reflect.Slice && !v.IsNil():
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			c.Index(i).Set(cloneElement(v.Index(i)))
		}
		return c
	case v.Kind() == reflect.Map && !v.IsNil():
		c := reflect.MakeMapWithSize(v.Type(), v.Len())
		for _, key := range v.MapKeys() {
			c.SetMapIndex(key, cloneElement(v.MapIndex(key)))
		}
		return c
	}
	return v
}

func cloneElement(v reflect.Value) reflect.Value {
	if v.Kind() != reflect.Interface {
		return cloneTyped(v)
	}
	if v.IsNil() {
		return v
	}
	return reflect.ValueOf(cloneAny(v.Interface()))
}
