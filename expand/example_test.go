package expand_test

import (
	"fmt"
	"strings"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/expand"
)

func ExampleCompile() {
	params := dag.Parameters{
		"DATE": dag.List("2021-01-01", "2021-02-01", "2021-03-01"),
		"HOST": dag.Scalar("db1"),
	}
	task := dag.Task{Name: "calc_date", Job: dag.Command("calc", "--on={{HOST}}", "{{DATE}}")}
	t, err := expand.Compile(task, dag.Job{}, params)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range t.Len() {
		in := t.At(i)
		fmt.Println(in.Name, in.Job.Command)
	}
	// Output:
	// calc_date_1 [calc --on=db1 2021-01-01]
	// calc_date_2 [calc --on=db1 2021-02-01]
	// calc_date_3 [calc --on=db1 2021-03-01]
}

func ExampleExpand() {
	d, err := expand.Expand(&dag.DAG{
		Parameters: dag.Parameters{"DATE": dag.List("2021-01-01", "2021-02-01")},
		Tasks: []dag.Task{
			{Name: "calc", Job: dag.Job{CommandString: "calc 'on {{DATE}}'"}},
			{Name: "report", Job: dag.Command("report"), Parents: []string{"calc"}},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range d.Tasks {
		fmt.Printf("%s: %q after %q\n", t.Name, t.Job.Command, t.Parents)
	}
	// Output:
	// calc_1: ["calc" "on 2021-01-01"] after []
	// calc_2: ["calc" "on 2021-02-01"] after []
	// report: ["report"] after ["calc_1" "calc_2"]
}

func ExampleValidate() {
	err := expand.Validate(&dag.DAG{
		Parameters: dag.Parameters{"DATE": dag.List("2021-01-01", "2021-02-01")},
		Tasks: []dag.Task{
			{Name: "calc", Job: dag.Command("calc", "{{DAET}}")},
			{Name: "plot", Job: dag.Command("plot", "{{DATE}}"), Parents: []string{"calc"}},
			{Name: "plot_2"},
		},
	})
	fmt.Println(strings.ReplaceAll(err.Error(), "; ", ";\n    "))
	// Output:
	// invalid definition:
	//   task "calc": job.command[1]: word 2 refers to {{DAET}}, and there is no such parameter;
	//     did you mean {{DATE}}? (write \{{DAET}} if the braces are meant as they are)
	//   task "plot_2": name: this is also the name of an instance of task plot, which has 2;
	//     rename one of the two tasks
}

func ExampleExpander() {
	x := expand.Expander{Limits: dag.Limits{Product: 3}}
	_, err := x.Compile(dag.Task{Name: "calc", Job: dag.Command("{{X}}", "{{Y}}")}, dag.Job{},
		dag.Parameters{"X": dag.List("1", "2"), "Y": dag.List("1", "2")})
	fmt.Println(strings.ReplaceAll(err.Error(), ", ", ",\n"))
	// Output:
	// invalid definition: task "calc": parameters: X (2) × Y (2) makes 4 instances of this task,
	// the limit is 3; shorten a list,
	// refer to fewer of them,
	// or raise Limits.Product
}
