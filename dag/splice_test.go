package dag_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
)

// pipeline is the generator case of the original documentation, before it ran.
func pipeline() *dag.DAG {
	return &dag.DAG{Tasks: []dag.Task{
		{
			Name: "pull_files", Job: dag.Command("pull"), Generator: true,
			Children: []string{"report"},
		},
		{Name: "report", Job: dag.Command("report")},
	}}
}

func TestGraphSplice(t *testing.T) {
	t.Parallel()
	g, err := pipeline().Graph()
	require.NoError(t, err)
	before := g.Children(0)
	require.NoError(t, g.Splice(0, []dag.Task{
		{Name: "calc_b", Parents: []string{"calc_a", "pull_files"}, Children: []string{"report"}},
		{Name: "calc_a"},
	}))
	require.Equal(t, 4, g.Len())
	require.Equal(t, []string{"report", "calc_b", "calc_a"}, names(g, g.Children(0)),
		"D7: the generator is a parent, and once")
	require.Equal(t, []string{"pull_files", "calc_b"}, names(g, g.Parents(1)))
	require.Equal(t, []string{"pull_files", "calc_a"}, names(g, g.Parents(2)))
	require.Equal(t, []string{"pull_files"}, names(g, g.Parents(3)))
	require.Equal(t, []string{"calc_b"}, names(g, g.Children(3)),
		"D7: a task gets no children that it does not name")
	require.Equal(t, 5, g.Edges())
	require.Equal(t, []int{0, 3, 2, 1}, slices.Collect(g.Order()))
	require.Equal(t, []string{"report"}, names(g, before), "slices stay valid")
}

// D7, D8: a bad splice is refused with all its problems, and changes nothing.
func TestSpliceRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		tasks []dag.Task
		want  []string
	}{
		{"name that is there", []dag.Task{{Name: "report"}}, []string{
			`task "report": name: the DAG already has a task of this name; ` +
				"names are identity: choose another",
		}},
		{"names twice", []dag.Task{{Name: "a"}, {Name: "b"}, {Name: "a"}}, []string{
			`task "a": name: tasks 1 and 3 of the definition have this name; ` +
				"names are identity: rename one of them",
		}},
		{"no name", []dag.Task{{}, {}}, []string{
			"name: a task needs a name; it is task 1 of the definition",
			"name: a task needs a name; it is task 2 of the definition",
		}},
		{"unknown names", []dag.Task{
			{Name: "a", Parents: []string{"b"}, Children: []string{"reprt"}},
		}, []string{
			`task "a": parents[0]: no task is named "b"`,
			`task "a": children[0]: no task is named "reprt"; did you mean "report"?`,
		}},
		{"D5: an instance", []dag.Task{{Name: "a", Children: []string{"report_1"}}}, []string{
			`task "a": children[0]: dependencies use task names, ` +
				`and no task is named "report_1"; write "report", which means all its instances`,
		}},
		{"cycle among the new", []dag.Task{
			{Name: "a", Parents: []string{"b"}}, {Name: "b", Parents: []string{"a"}},
		}, []string{"cycle: a → b → a; remove one of these dependencies"}},
		{"itself", []dag.Task{{Name: "a", Parents: []string{"a"}}}, []string{
			`task "a": parents[0]: a task cannot wait for itself; remove "a"`,
		}},
		{
			"cycle through the generator",
			[]dag.Task{{Name: "a", Children: []string{"pull_files"}}},
			[]string{"cycle: pull_files → a → pull_files; remove one of these dependencies"},
		},
		{"cycle through old tasks", []dag.Task{
			{Name: "a", Parents: []string{"report"}},
			{Name: "b", Children: []string{"pull_files"}, Parents: []string{"a"}},
		}, []string{"cycle: pull_files → b → pull_files; remove one of these dependencies"}},
		{
			"bad members",
			[]dag.Task{{Name: "a", MaxRetries: -1, Job: dag.Job{CommandString: "'"}}},
			[]string{
				`task "a": job.commandString: the quote ' at byte 1 is not closed`,
				`task "a": maxRetries: -1 is less than nothing; 0 is none`,
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := pipeline()
			err := d.Splice("pull_files", tc.tasks)
			require.ErrorIs(t, err, dag.ErrInvalid)
			require.Equal(t, tc.want, messages(err))
			require.Equal(t, pipeline(), d)
		})
	}
}

func TestDAGSplice(t *testing.T) {
	t.Parallel()
	d := pipeline()
	held := d.Tasks
	generated := []dag.Task{
		{Name: "calc_date_a", Job: dag.Command("calc", "a"), Children: []string{"report"}},
		{Name: "calc_date_b", Parents: []string{"pull_files"}, Children: []string{"report"}},
	}
	require.NoError(t, d.Splice("pull_files", generated))
	require.NoError(t, d.Validate())
	require.Equal(t, []dag.Task{
		pipeline().Tasks[0],
		pipeline().Tasks[1],
		{
			Name: "calc_date_a", Job: dag.Command("calc", "a"),
			Parents: []string{"pull_files"}, Children: []string{"report"},
		},
		{Name: "calc_date_b", Parents: []string{"pull_files"}, Children: []string{"report"}},
	}, d.Tasks)
	require.Empty(t, generated[0].Parents, "what is given is not altered")
	require.Equal(t, pipeline().Tasks, held)

	err := d.Splice("pull_file", nil)
	require.Equal(t, []string{
		`task "pull_file": there is no task of this name to splice after; ` +
			`did you mean "pull_files"?`,
	}, messages(err))
	d.Tasks[0].Parents = []string{"gone"}
	require.ErrorIs(t, d.Splice("report", nil), dag.ErrInvalid)
}

// Each instance of an expanded generator splices its own tasks: many splices of
// one task, all of them before the same child.
func TestSpliceMany(t *testing.T) {
	t.Parallel()
	const splices = 10_000
	g, err := pipeline().Graph()
	require.NoError(t, err)
	for i := range splices {
		name := "part-" + strconv.Itoa(i)
		require.NoError(t, g.Splice(0, []dag.Task{
			{Name: name, Children: []string{"report"}},
			{Name: name + "-check", Parents: []string{name}},
		}))
		if i%1000 == 0 {
			// A refused one leaves no trace.
			err := g.Splice(0, []dag.Task{{Name: "x", Children: []string{"pull_files"}}})
			require.ErrorIs(t, err, dag.ErrInvalid)
		}
	}
	require.Equal(t, 2+2*splices, g.Len())
	require.Equal(t, 1+4*splices, g.Edges())
	require.Len(t, g.Children(0), 1+2*splices)
	require.Len(t, g.Parents(1), 1+splices)
	require.True(t, slices.IsSorted(g.Children(0)))
	require.True(t, slices.IsSorted(g.Parents(1)))
	at, ok := g.Index("part-7777-check")
	require.True(t, ok)
	require.Equal(t, []string{"pull_files", "part-7777"}, names(g, g.Parents(at)))
	_, ok = g.Index("x")
	require.False(t, ok)
}

// What a splice costs does not depend on how much of the graph it leaves alone:
// a chain of tasks behind another child is never walked. It would be, ten
// thousand million steps of it, and the test would not end.
func TestSpliceLeavesAlone(t *testing.T) {
	t.Parallel()
	tasks := layered(1_000_000, 1, 1)
	tasks[0].Generator = true
	tasks = append(tasks, dag.Task{Name: "report"})
	g, err := dag.NewGraph(tasks)
	require.NoError(t, err)
	for i := range 10_000 {
		require.NoError(t, g.Splice(0, []dag.Task{
			{Name: strconv.Itoa(i), Children: []string{"report"}},
		}))
	}
	require.Equal(t, 1_010_001, g.Len())
}
