package expand_test

import (
	"errors"
	"strconv"
	"testing"

	"github.com/hashicorp/go-multierror"
	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/expand"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	two := dag.Parameters{"L": dag.List("a", "b")}
	multiplied := dag.Task{Name: "calc", Job: dag.Command("{{L}}")}
	plain := func(name string, parents ...string) dag.Task {
		return dag.Task{Name: name, Job: dag.Command("x"), Parents: parents}
	}
	for _, test := range []struct {
		name   string
		dag    dag.DAG
		limits dag.Limits
		want   []string
	}{
		{name: "the zero DAG"},
		{name: "plain", dag: dag.DAG{Tasks: []dag.Task{plain("a"), plain("b", "a")}}},
		{name: "multiplied", dag: dag.DAG{
			Parameters: two,
			Tasks:      []dag.Task{multiplied, plain("calc_3", "calc"), plain("calc_0")},
		}},
		{
			name: "D2: an empty list, though unused, and once",
			dag: dag.DAG{
				Parameters: dag.Parameters{"N": dag.List(), "L": dag.List()},
				Tasks:      []dag.Task{multiplied, {Name: "b", Job: dag.Command("{{L}}")}},
			},
			want: []string{":parameters.L", ":parameters.N"},
		},
		{
			name: "D2: an empty list of a task",
			dag: dag.DAG{Parameters: two, Tasks: []dag.Task{{
				Name: "calc", Job: dag.Command("{{L}}"),
				Parameters: dag.Parameters{"L": dag.List()},
			}}},
			want: []string{"calc:parameters.L"},
		},
		{
			name: "D3: unknown names, each where it is",
			dag: dag.DAG{Tasks: []dag.Task{
				{Name: "a", Job: dag.Command("{{X}}", "{{Y}}")},
				{Name: "b", Job: dag.Command("{{X}}")},
			}},
			want: []string{"a:job.command[0]", "a:job.command[1]", "b:job.command[0]"},
		},
		{
			name: "D3: unknown names in defaults, once",
			dag: dag.DAG{
				JobDefaults: dag.Job{CommandString: "run {{X}}"},
				Tasks:       []dag.Task{{Name: "a"}, {Name: "b"}, plain("c")},
			},
			want: []string{":jobDefaults.commandString"},
		},
		{name: "D3: a name that only a task has", dag: dag.DAG{
			JobDefaults: dag.Command("{{X}}"),
			Tasks:       []dag.Task{{Name: "a", Parameters: dag.Parameters{"X": dag.Scalar("x")}}},
		}},
		{
			name: "D4: an instance after a task",
			dag:  dag.DAG{Parameters: two, Tasks: []dag.Task{plain("calc_2"), multiplied}},
			want: []string{"calc_2:name"},
		},
		{
			name: "D4: through defaults",
			dag: dag.DAG{
				Parameters: two, JobDefaults: dag.Job{WorkDir: "{{L}}"},
				Tasks: []dag.Task{plain("calc"), plain("calc_1")},
			},
			want: []string{"calc_1:name"},
		},
		{
			name: "D5: an instance in a dependency",
			dag:  dag.DAG{Parameters: two, Tasks: []dag.Task{multiplied, plain("a", "calc_1")}},
			want: []string{"a:parents[0]"},
		},
		{
			name: "D6: both commands, once",
			dag: dag.DAG{Tasks: []dag.Task{{
				Name: "a", Job: dag.Job{Command: []string{"x"}, CommandString: "y"},
			}}},
			want: []string{"a:job"},
		},
		{
			name: "D6: both default commands, once",
			dag: dag.DAG{
				JobDefaults: dag.Job{Command: []string{"x"}, CommandString: "y"},
				Tasks:       []dag.Task{{Name: "a"}, {Name: "b"}},
			},
			want: []string{":jobDefaults"},
		},
		{
			name: "a commandString that cannot be split, once",
			dag:  dag.DAG{Tasks: []dag.Task{{Name: "a", Job: dag.Job{CommandString: "'"}}}},
			want: []string{"a:job.commandString"},
		},
		{
			name: "structure and expansion together",
			dag: dag.DAG{Tasks: []dag.Task{
				{Name: "a", Job: dag.Command("{{X}}"), Parents: []string{"nobody"}},
			}},
			want: []string{"a:parents[0]", "a:job.command[0]"},
		},
		{
			name:   "D11: tasks",
			dag:    dag.DAG{Tasks: []dag.Task{plain("a"), plain("b")}},
			limits: dag.Limits{Tasks: 1}, want: []string{":tasks"},
		},
		{
			name:   "D11: instances",
			dag:    dag.DAG{Parameters: two, Tasks: []dag.Task{multiplied, plain("b")}},
			limits: dag.Limits{Instances: 2}, want: []string{":"},
		},
		{
			name: "D11: just as many", limits: dag.Limits{Instances: 3, Tasks: 2, Product: 2},
			dag: dag.DAG{Parameters: two, Tasks: []dag.Task{multiplied, plain("b")}},
		},
		{
			name:   "D11: a product",
			dag:    dag.DAG{Parameters: two, Tasks: []dag.Task{multiplied}},
			limits: dag.Limits{Product: 1}, want: []string{"calc:parameters"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := expand.Expander{Limits: test.limits}.Validate(&test.dag)
			if test.want == nil {
				require.NoError(t, err)
				return
			}
			require.Equal(t, test.want, fields(t, err))
			_, err = expand.Expander{Limits: test.limits}.Expand(&test.dag)
			require.Equal(t, test.want, fields(t, err))
		})
	}
}

// Cycles are errors of their own, beside the problems.
func TestValidateCycle(t *testing.T) {
	t.Parallel()
	err := expand.Validate(&dag.DAG{Tasks: []dag.Task{
		{Name: "a", Parents: []string{"b"}, Job: dag.Command("{{X}}")},
		{Name: "b", Parents: []string{"a"}},
	}})
	_, ok := errors.AsType[*dag.CycleError](err)
	require.True(t, ok)
	require.Equal(t, []string{"a:job.command[0]"}, fields(t, err))
}

// Errors are bounded, whatever there is to complain about.
func TestValidateBoundsErrors(t *testing.T) {
	t.Parallel()
	d := dag.DAG{Tasks: make([]dag.Task, 5000)}
	for i := range d.Tasks {
		d.Tasks[i] = dag.Task{Name: "t" + strconv.Itoa(i), Job: dag.Command("{{X}}")}
	}
	for range 2 {
		many, ok := errors.AsType[*multierror.Error](expand.Validate(&d))
		require.True(t, ok)
		require.Len(t, many.Errors, 101)
		last, ok := errors.AsType[*dag.Problem](many.Errors[100])
		require.True(t, ok)
		require.Empty(t, last.Task)
		require.Contains(t, last.Text, "4900")
		// The second time it is the structure that is wrong everywhere.
		for i := range d.Tasks {
			d.Tasks[i].MaxRetries = -1
		}
	}
}

// D11: sums do not overflow either.
func TestValidateSumOverflow(t *testing.T) {
	t.Parallel()
	values := make([]string, 10_000)
	d := dag.DAG{Parameters: dag.Parameters{}}
	job := dag.Command()
	for _, name := range []string{"A", "B", "C", "D"} {
		d.Parameters[name] = dag.List(values...)
		job.Command = append(job.Command, "{{"+name+"}}")
	}
	for i := range 1000 { // of 10¹⁶ instances each
		d.Tasks = append(d.Tasks, dag.Task{Name: "t" + strconv.Itoa(i), Job: job})
	}
	err := expand.Expander{Limits: dag.Limits{Product: -1, Instances: 1 << 62}}.Validate(&d)
	require.Equal(t, []string{":"}, fields(t, err))
}

// Problems have the paths of the JSON form, so that they can be shown in it.
func TestProblemsAreLocated(t *testing.T) {
	t.Parallel()
	text := []byte(`{
  "parameters": {"DATE": ["a", "b"]},
  "jobDefaults": {"environment": ["A=1",
    "B={{DAT}}"]},
  "tasks": {
    "calc": {"job": {"command": ["calc",
      "{{DATES}}"], "workDir":
      "{{D}}", "slurm": {"args": ["x",
      "{{E}}"]}}},
    "plot": {"job": {"commandString":
      "plot {{DATE}}"}},
    "plot_1": {}
  }
}`)
	d, err := dag.Parse(text)
	require.NoError(t, err)
	var lines []int
	for _, p := range problems(t, dag.Locate(text, expand.Validate(d))) {
		lines = append(lines, p.Line)
	}
	require.Equal(t, []int{4, 7, 7, 9, 12}, lines)
}
