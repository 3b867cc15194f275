package expand_test

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/expand"
)

// D4: names of instances, and back.
func TestInstanceNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		task string
		i    int
		ok   bool
	}{
		{"calc_1", "calc", 0, true},
		{"calc_10", "calc", 9, true},
		{"calc_date_3", "calc_date", 2, true},
		{"a_1_2", "a_1", 1, true},
		{"__1", "_", 0, true},
		{name: "calc"},
		{name: "calc_"},
		{name: "calc_0"},
		{name: "calc_01"},
		{name: "calc_-1"},
		{name: "calc_+1"},
		{name: "calc_1x"},
		{name: "calc_x1"},
		{name: "_1"},
		{name: "1"},
		{name: ""},
		{name: "calc_99999999999999999999"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			task, i, ok := expand.ParseInstanceName(test.name)
			require.Equal(t, test.ok, ok)
			require.Equal(t, test.task, task)
			require.Equal(t, test.i, i)
			if ok {
				require.Equal(t, test.name, expand.InstanceName(task, i))
			}
		})
	}
}

func TestTemplateIndex(t *testing.T) {
	t.Parallel()
	many := compile(t, dag.Task{Name: "t_1", Job: dag.Command("{{L}}")},
		dag.Parameters{"L": dag.List("a", "b")})
	one := compile(t, dag.Task{Name: "t_1", Job: dag.Command("a")}, nil)
	for _, test := range []struct {
		name      string
		many, one int // -1: none
	}{
		{"t_1", -1, 0},
		{"t_1_1", 0, -1},
		{"t_1_2", 1, -1},
		{"t_1_3", -1, -1},
		{"t_1_0", -1, -1},
		{"t_2", -1, -1},
		{"u_1_1", -1, -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			i, ok := many.Index(test.name)
			require.Equal(t, test.many >= 0, ok)
			require.Equal(t, max(0, test.many), i)
			i, ok = one.Index(test.name)
			require.Equal(t, test.one >= 0, ok)
			require.Equal(t, max(0, test.one), i)
		})
	}
}

// D4: clashes are found whichever of the two names comes first.
func TestNamesAdd(t *testing.T) {
	t.Parallel()
	type batch map[string]int
	for _, test := range []struct {
		name    string
		batches []batch
		clash   string // in the last one
	}{
		{name: "plain tasks", batches: []batch{{"calc": 0, "calc_1": 0}, {"b": 0, "calc_2": 0}}},
		{
			name:    "far enough",
			batches: []batch{{"calc": 3}, {"calc_4": 0, "calc_0": 0, "calc_01": 0}},
		},
		{name: "in one batch", batches: []batch{{"calc": 3, "calc_3": 0}}, clash: "calc_3"},
		{name: "task comes later", batches: []batch{{"calc": 3}, {"calc_3": 0}}, clash: "calc_3"},
		{name: "task came before", batches: []batch{{"calc_3": 0}, {"calc": 3}}, clash: "calc_3"},
		{
			name: "the least", clash: "calc_4",
			batches: []batch{{"calc_9": 0}, {"calc_4": 0, "calc_7": 0}, {"calc": 4}},
		},
		{
			name:    "beyond the least",
			batches: []batch{{"calc_9": 0}, {"calc_4": 0, "calc_7": 0}, {"calc": 3}},
		},
		{name: "a multiplied one", batches: []batch{{"calc_1": 5}, {"calc": 1}}, clash: "calc_1"},
		{name: "several levels", batches: []batch{{"calc": 5}, {"calc_9": 3}, {"calc_9_4": 0}}},
		{
			name: "ten millions", clash: "calc_10000000",
			batches: []batch{{"calc": 10_000_000}, {"calc_10000000": 0}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var n expand.Names
			last := len(test.batches) - 1
			for _, b := range test.batches[:last] {
				require.NoError(t, n.Add(maps.All(b)))
			}
			err := n.Add(maps.All(test.batches[last]))
			if test.clash == "" {
				require.NoError(t, err)
				return
			}
			p := problem(t, err)
			require.Equal(t, test.clash, p.Task)
			require.Equal(t, "name", p.Field)
			require.Regexp(t, `\bcalc\b`, p.Text, "the error names both")
		})
	}
}

// A batch with a clash adds nothing at all.
func TestNamesAddIsAllOrNothing(t *testing.T) {
	t.Parallel()
	var n expand.Names
	add := func(tasks map[string]int) error { return n.Add(maps.All(tasks)) }
	require.NoError(t, add(map[string]int{"calc_3": 0}))
	require.Error(t, add(map[string]int{"calc": 3, "other": 2, "third_1": 0}))
	require.NoError(t, add(map[string]int{"calc_1": 0, "other_1": 0, "third": 7}))
	require.Error(t, add(map[string]int{"third_7": 0}))
}
