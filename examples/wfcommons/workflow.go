package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/daggy-go/daggy/dag"
)

// wfFormat is what this program needs of a file in WfFormat. Tasks are known by
// their IDs; names need not be unique.
type wfFormat struct {
	SchemaVersion string `json:"schemaVersion"`
	Workflow      struct {
		Specification struct {
			Tasks []struct {
				ID       string   `json:"id"`
				Parents  []string `json:"parents"`
				Children []string `json:"children"`
			} `json:"tasks"`
		} `json:"specification"`
		Execution struct {
			Tasks []struct {
				ID               string   `json:"id"`
				RuntimeInSeconds *float64 `json:"runtimeInSeconds"`
			} `json:"tasks"`
		} `json:"execution"`
	} `json:"workflow"`
}

// A workflow is a graph and how long its tasks took.
type workflow struct {
	file, name string
	dag        *dag.DAG
	graph      *dag.Graph
	seconds    map[string]float64
}

// longest is more than any task takes, in seconds: ten years.
const longest = 10 * 365 * 24 * 3600

// read reads a file and reports everything that is wrong with it.
func read(file string) (*workflow, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var f wfFormat
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	if f.SchemaVersion != "1.5" {
		return nil, fmt.Errorf("schemaVersion is %q, want \"1.5\"", f.SchemaVersion)
	}
	w := &workflow{
		file:    file,
		name:    strings.TrimSuffix(filepath.Base(file), ".json"),
		dag:     &dag.DAG{},
		seconds: map[string]float64{},
	}
	var problems *multierror.Error
	for _, t := range f.Workflow.Execution.Tasks {
		switch {
		case t.RuntimeInSeconds == nil:
			problems = multierror.Append(problems, fmt.Errorf("task %q has no runtime", t.ID))
		case *t.RuntimeInSeconds < 0 || *t.RuntimeInSeconds > longest:
			problems = multierror.Append(problems,
				fmt.Errorf("task %q: runtimeInSeconds is %g", t.ID, *t.RuntimeInSeconds))
		default:
			w.seconds[t.ID] = *t.RuntimeInSeconds
		}
	}
	for _, t := range f.Workflow.Specification.Tasks {
		if _, ok := w.seconds[t.ID]; !ok {
			problems = multierror.Append(problems, fmt.Errorf("task %q was not executed", t.ID))
		}
		w.dag.Tasks = append(w.dag.Tasks, dag.Task{
			Name: t.ID, Parents: t.Parents, Children: t.Children,
			Job: dag.Command("wait"), // a task without a command would only group
		})
	}
	if w.graph, err = w.dag.Graph(); err != nil {
		problems = multierror.Append(problems, err)
	}
	return w, problems.ErrorOrNil()
}

// work is how long it would take to run one task after the other.
func (w *workflow) work() float64 {
	sum := 0.0
	for _, t := range w.dag.Tasks {
		sum += w.seconds[t.Name]
	}
	return sum
}

// criticalPath returns the chain of tasks that takes longest, and how long that
// is. Of equal ones it is that which is defined first.
func (w *workflow) criticalPath() (tasks []string, seconds float64) {
	g := w.graph
	ends := make([]float64, g.Len()) // of the longest chain that ends with this task
	before := make([]int, g.Len())   // in that chain
	last := -1
	for i := range g.Order() {
		before[i] = -1
		for _, p := range g.Parents(i) {
			if b := before[i]; b < 0 || ends[p] > ends[b] {
				before[i] = int(p)
			}
		}
		if b := before[i]; b >= 0 {
			ends[i] = ends[b]
		}
		ends[i] += w.seconds[g.Name(i)]
		if last < 0 || ends[i] > ends[last] {
			last = i
		}
	}
	if last < 0 {
		return nil, 0
	}
	seconds = ends[last]
	for ; last >= 0; last = before[last] {
		tasks = append(tasks, g.Name(last))
	}
	slices.Reverse(tasks)
	return tasks, seconds
}
