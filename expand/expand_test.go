package expand_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/expand"
)

// The expansion of the documentation of the original: rows D12 to D17.
func TestExpandThreeDates(t *testing.T) {
	t.Parallel()
	d := &dag.DAG{
		Parameters: dag.Parameters{"DATE": dag.List("2021-01-01", "2021-02-01", "2021-03-01")},
		Tasks: []dag.Task{
			{
				Name: "populate_inputs", Job: dag.Command("populate"),
				Children: []string{"calc_date"},
			},
			{
				Name: "calc_date", Job: dag.Command("calc", "{{DATE}}"),
				Children: []string{"generate_report"}, MaxRetries: 2,
			},
			{Name: "generate_report", Job: dag.Command("report"), Parents: []string{"calc_date"}},
		},
	}
	before := d.Clone()
	out, err := expand.Expand(d)
	require.NoError(t, err)
	instances := []string{"calc_date_1", "calc_date_2", "calc_date_3"}
	calc := func(i int, date string) dag.Task {
		return dag.Task{
			Name: instances[i], Job: dag.Command("calc", date),
			Children: []string{"generate_report"}, MaxRetries: 2,
		}
	}
	require.Equal(t, []dag.Task{
		{Name: "populate_inputs", Job: dag.Command("populate"), Children: instances},
		calc(0, "2021-01-01"), calc(1, "2021-02-01"), calc(2, "2021-03-01"),
		{Name: "generate_report", Job: dag.Command("report"), Parents: instances},
	}, out.Tasks)
	require.Nil(t, out.Parameters)
	require.NoError(t, expand.Validate(out))
	require.Equal(t, before, d)
}

// What is escaped, quoted or put in stands for itself when it is read again.
func TestExpandStandsForItself(t *testing.T) {
	t.Parallel()
	d := &dag.DAG{
		Parameters: dag.Parameters{
			"OPEN": dag.Scalar("{{"), "X": dag.Scalar("{{OPEN}}"), "L": dag.List(`\`, "{{L}}"),
		},
		JobDefaults: dag.Job{
			CommandString: `run '\{{X}}' {{OPEN}}X}} {{L}}{{X}}`, WorkDir: `/\{{X}}`,
			Environment: []string{"A={{X}}"}, Options: map[string]any{"o": []any{`\{{X}}{{L}}`}},
		},
		Tasks: []dag.Task{{Name: "t"}},
	}
	out, err := expand.Expand(d)
	require.NoError(t, err)
	require.Len(t, out.Tasks, 2)
	second := compile(t, out.Tasks[1], nil)
	require.Equal(t, dag.Job{
		Command: []string{"run", "{{X}}", "{{X}}", "{{L}}{{OPEN}}"}, WorkDir: "/{{X}}",
		Environment: []string{"A={{OPEN}}"}, Options: map[string]any{"o": []any{"{{X}}{{L}}"}},
	}, second.At(0).Job)
	require.Equal(t, []string{"run", "{{X}}", "{{X}}", `\{{OPEN}}`},
		compile(t, out.Tasks[0], nil).At(0).Job.Command)
}

// D6, D7: with generators, parameters and defaults stay for what they generate,
// and multiply nothing once more.
func TestExpandKeepsForGenerators(t *testing.T) {
	t.Parallel()
	d := &dag.DAG{
		Parameters: dag.Parameters{"K": dag.List("A", "B"), "DIR": dag.List("", "/x")},
		JobDefaults: dag.Job{
			Command: []string{"run"}, Environment: []string{"{{K}}=1"}, WorkDir: "{{DIR}}",
		},
		Tasks: []dag.Task{{Name: "t"}, {Name: "g", Generator: true, Parents: []string{"t"}}},
	}
	out, err := expand.Expand(d)
	require.NoError(t, err)
	require.Equal(t, d.Parameters, out.Parameters)
	require.Equal(t, d.JobDefaults, out.JobDefaults)
	require.Len(t, out.Tasks, 8)
	again, err := expand.Expand(out)
	require.NoError(t, err)
	require.Len(t, again.Tasks, 8)
	for i, name := range []string{"t_1", "t_2", "t_3", "t_4", "g_1", "g_2", "g_3", "g_4"} {
		require.Equal(t, name, out.Tasks[i].Name)
		require.Equal(t, name, again.Tasks[i].Name)
	}
	require.True(t, out.Tasks[7].Generator)
}

// D9: what only groups does so when it is written out, too.
func TestExpandGroups(t *testing.T) {
	t.Parallel()
	d := &dag.DAG{
		Parameters:  dag.Parameters{"L": dag.List("a", "b")},
		JobDefaults: dag.Job{Options: map[string]any{"queue": "{{L}}"}},
		Tasks: []dag.Task{
			{Name: "barrier"}, {Name: "own", Job: dag.Job{Options: map[string]any{"own": 1}}},
		},
	}
	out, err := expand.Expand(d)
	require.NoError(t, err)
	require.Len(t, out.Tasks, 4)
	for i, groups := range []bool{true, true, false, false} {
		require.Equal(t, groups, compile(t, out.Tasks[i], nil).Groups())
	}
}

// D11: what would be written out is limited before it is made.
func TestExpandLimits(t *testing.T) {
	t.Parallel()
	values := make([]string, 1000)
	chain := func(between bool) *dag.DAG {
		d := &dag.DAG{
			Parameters: dag.Parameters{"L": dag.List(values...)},
			Tasks: []dag.Task{
				{Name: "a", Job: dag.Command("{{L}}")},
				{Name: "b", Job: dag.Command("{{L}}"), Parents: []string{"a"}},
			},
		}
		if between {
			d.Tasks[1].Parents = []string{"barrier"}
			d.Tasks = append(d.Tasks, dag.Task{Name: "barrier", Parents: []string{"a"}})
		}
		return d
	}
	for _, test := range []struct {
		name    string
		between bool
		tasks   int
		good    bool
	}{
		{"a million edges", false, 100_000, true},
		{"too many edges", false, 99_999, false},
		{"by way of a barrier", true, 2001, true},
		{"too many tasks", true, 2000, false},
		{"no limit", false, -1, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := chain(test.between)
			out, err := expand.Expander{Limits: dag.Limits{Tasks: test.tasks}}.Expand(d)
			if !test.good {
				require.Equal(t, []string{":tasks"}, fields(t, err))
				require.Nil(t, out)
				return
			}
			require.NoError(t, err)
			require.NoError(t, out.Validate())
		})
	}
}

// N×M edges take N+M names: the instances share their lists.
func TestExpandSharesEdges(t *testing.T) {
	t.Parallel()
	d := &dag.DAG{
		Parameters: dag.Parameters{"L": dag.List("1", "2", "3")},
		Tasks: []dag.Task{
			{Name: "a", Job: dag.Command("{{L}}")},
			{Name: "b", Job: dag.Command("{{L}}"), Parents: []string{"a"}},
		},
	}
	out, err := expand.Expand(d)
	require.NoError(t, err)
	one, two := out.Tasks[3].Parents, out.Tasks[4].Parents
	require.Equal(t, []string{"a_1", "a_2", "a_3"}, one)
	require.Same(t, &one[0], &two[0])
	// Who appends to one gets room of its own.
	require.Equal(t, len(two), cap(two))
}

// D4: the order is that of the tasks, and in each that of the instances.
func TestExpandOrder(t *testing.T) {
	t.Parallel()
	d := &dag.DAG{Parameters: dag.Parameters{"L": dag.List("1", "2")}}
	var want []string
	for i := range 20 {
		name := fmt.Sprintf("t%d", 20-i)
		d.Tasks = append(d.Tasks, dag.Task{Name: name, Job: dag.Command("{{L}}")})
		want = append(want, name+"_1", name+"_2")
	}
	out, err := expand.Expand(d)
	require.NoError(t, err)
	require.True(t, slices.EqualFunc(out.Tasks, want, func(t dag.Task, name string) bool {
		return t.Name == name
	}))
}
