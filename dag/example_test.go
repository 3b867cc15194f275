package dag_test

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/daggy-go/daggy/dag"
)

// The three-date example of the package comment.
const quarter = `{
  "parameters": {
    "DATE": ["2021-01-01", "2021-02-01", "2021-03-01"],
    "SOURCE": "/data/in"
  },
  "jobDefaults": {"environment": {"TZ": "UTC"}},
  "tasks": {
    "populate_inputs": {
      "job": {"command": ["/usr/bin/pull", "{{SOURCE}}"]},
      "maxRetries": 3,
      "retryIntervalSeconds": 30,
      "children": ["calc_date"]
    },
    "calc_date": {
      "job": {
        "command": ["/usr/bin/calculate", "--date", "{{DATE}}", "{{SOURCE}}/{{DATE}}.csv"],
        "cores": 2,
        "memoryMB": 4096,
        "timeLimitSeconds": 3600
      }
    },
    "generate_report": {
      "job": {"commandString": "/usr/bin/report --title 'First quarter'"},
      "parents": ["calc_date"]
    }
  }
}`

func ExampleParse() {
	d, err := dag.Parse([]byte(quarter))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range d.Tasks {
		fmt.Printf("%s %q %q\n", t.Name, t.Job.Command, t.Job.CommandString)
	}
	// Output:
	// populate_inputs ["/usr/bin/pull" "{{SOURCE}}"] ""
	// calc_date ["/usr/bin/calculate" "--date" "{{DATE}}" "{{SOURCE}}/{{DATE}}.csv"] ""
	// generate_report [] "/usr/bin/report --title 'First quarter'"
}

// All problems come at once, with the place and what to do.
func ExampleParse_problems() {
	_, err := dag.Parse([]byte(`{
  "tasks": {
    "pull": {"comand": ["pull"], "maxretries": 3},
    "report": {"job": {"cores": "two"}},
    "pull": {}
  }
}`))
	fmt.Println(strings.ReplaceAll(err.Error(), "; ", ";\n    "))
	fmt.Println(errors.Is(err, dag.ErrInvalid))
	// Output:
	// invalid definition:
	//   line 3, column 14: task "pull": unknown member "comand";
	//     did you mean "command"?
	//   line 3, column 34: task "pull": unknown member "maxretries";
	//     write it as "maxRetries"
	//   line 4, column 33: task "report": job.cores: this must be a whole number, not "two"
	//   line 5, column 5: task "pull": line 3 has a task of this name already;
	//     names are identity: rename one of them
	// true
}

func ExampleLocate() {
	text := []byte(`{"tasks": {
  "pull": {"command": ["pull"], "parents": ["report"]},
  "calc": {"command": ["calc"], "parents": ["pul"]},
  "report": {"command": ["report"], "parents": ["pull", "calc_1"]}
}}`)
	d, err := dag.Parse(text)
	if err == nil {
		err = dag.Locate(text, d.Validate())
	}
	fmt.Println(strings.ReplaceAll(err.Error(), ", and", ",\n    and"))
	// Output:
	// invalid definition:
	//   line 3, column 45: task "calc": parents[0]: no task is named "pul"; did you mean "pull"?
	//   line 4, column 57: task "report": parents[1]: dependencies use task names,
	//     and no task is named "calc_1"; write "calc", which means all its instances
	//   cycle: pull → report → pull; remove one of these dependencies
}

func ExampleDAG_Validate() {
	d := &dag.DAG{Tasks: []dag.Task{
		{Name: "a", Parents: []string{"c"}},
		{Name: "b", Parents: []string{"a"}},
		{Name: "c", Parents: []string{"b"}},
	}}
	fmt.Println(d.Validate())
	// Output: invalid definition: cycle: a → b → c → a; remove one of these dependencies
}

func ExampleGraph() {
	d := &dag.DAG{Tasks: []dag.Task{
		{Name: "report", Parents: []string{"calc"}},
		{Name: "pull", Children: []string{"calc"}},
		{Name: "calc"},
	}}
	g, err := d.Graph()
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range g.Order() {
		fmt.Println(g.Name(i))
	}
	// Output:
	// pull
	// calc
	// report
}

// The output of a generator joins the definition.
func ExampleDAG_Splice() {
	d := &dag.DAG{Tasks: []dag.Task{
		{Name: "pull_files", Generator: true, Children: []string{"generate_report"}},
		{Name: "generate_report"},
	}}
	tasks, err := dag.ParseTasks([]byte(`{
  "calc_date_a": {"command": ["calculate", "a"], "children": ["generate_report"]},
  "calc_date_b": {"command": ["calculate", "b"], "children": ["generate_report"]}
}`))
	if err == nil {
		err = d.Splice("pull_files", tasks)
	}
	if err == nil {
		err = d.Mermaid(os.Stdout, dag.Drawing{LeftToRight: true})
	}
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// flowchart LR
	//     t0[["pull_files"]]
	//     t1["generate_report"]
	//     t2["calc_date_a"]
	//     t3["calc_date_b"]
	//     t0 --> t1
	//     t0 --> t2
	//     t0 --> t3
	//     t2 --> t1
	//     t3 --> t1
}

// A generator in Go prints tasks.
func ExampleFormatTasks() {
	text, err := dag.FormatTasks([]dag.Task{
		{Name: "calc_a", Job: dag.Command("calculate", "a"), Children: []string{"report"}},
	})
	fmt.Print(string(text), err)
	// Output:
	// {"calc_a":{"job":{"command":["calculate","a"]},"children":["report"]}}
	// <nil>
}

func ExampleNearest() {
	known := []string{"resize", "rotate", "crop"}
	fmt.Printf("%q %q\n", dag.Nearest("rezise", known), dag.Nearest("sharpen", known))
	// Output: "resize" ""
}
