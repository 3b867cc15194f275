package dag_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strconv"
	"testing"

	"github.com/daggy-go/daggy/dag"
)

// shapes makes task lists of about n tasks.
var shapes = []struct {
	name  string
	sizes []int
	tasks func(n int) []dag.Task
}{
	{"wide", []int{100_000, 1_000_000}, wide},
	{"chain", []int{100_000, 1_000_000}, func(n int) []dag.Task { return layered(n, 1, 1) }},
	{"reversed", []int{100_000, 1_000_000}, reversed},
	{"layered", []int{100_000}, func(n int) []dag.Task { return layered(n, 100, 10) }},
}

func taskName(i int) string { return "task-" + strconv.Itoa(i) }

// wide has no edges.
func wide(n int) []dag.Task {
	tasks := make([]dag.Task, n)
	for i := range tasks {
		tasks[i].Name = taskName(i)
	}
	return tasks
}

// layered has layers of the given width, and from each task edges to as many
// as degree tasks of the layer before.
func layered(n, width, degree int) []dag.Task {
	tasks := wide(n)
	for i := width; i < n; i++ {
		first := (i/width - 1) * width
		for k := range degree {
			// Names of their own, as a decoder makes them.
			tasks[i].Parents = append(tasks[i].Parents, taskName(first+(i+k*7)%width))
		}
	}
	return tasks
}

// reversed is a chain, each task of which is defined before its parent.
func reversed(n int) []dag.Task {
	tasks := wide(n)
	for i := range n - 1 {
		tasks[i].Parents = []string{taskName(i + 1)}
	}
	return tasks
}

func perTask(b *testing.B, n int) {
	b.Helper()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/task")
}

func BenchmarkGraph(b *testing.B) {
	for _, shape := range shapes {
		for _, n := range shape.sizes {
			b.Run(fmt.Sprintf("shape=%s/tasks=%d", shape.name, n), func(b *testing.B) {
				tasks := shape.tasks(n)
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				g, err := dag.NewGraph(tasks)
				if err != nil {
					b.Fatal(err)
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				kept := float64(after.HeapAlloc) - float64(before.HeapAlloc)
				runtime.KeepAlive(g)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := dag.NewGraph(tasks); err != nil {
						b.Fatal(err)
					}
				}
				perTask(b, n)
				b.ReportMetric(kept/float64(n), "B/task")
			})
		}
	}
}

// The thing to beat: a map from names to indices, and nothing else.
func BenchmarkNamesMap(b *testing.B) {
	const n = 1_000_000
	tasks := wide(n)
	b.ReportAllocs()
	for b.Loop() {
		m := make(map[string]int, n)
		for i := range tasks {
			m[tasks[i].Name] = i
		}
		if len(m) != n {
			b.Fatal(len(m))
		}
	}
	perTask(b, n)
}

func BenchmarkSplice(b *testing.B) {
	for _, n := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprintf("tasks=%d", n), func(b *testing.B) {
			tasks := wide(n)
			for i := range tasks {
				tasks[i].Children = []string{"report"}
			}
			var g *dag.Graph
			total := 0
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				if g == nil || g.Len() > 1_000_000 {
					g, _ = dag.NewGraph([]dag.Task{{Name: "list"}, {Name: "report"}})
				}
				for i := range tasks {
					tasks[i].Name = "part-" + strconv.Itoa(total)
					total++
				}
				b.StartTimer()
				if err := g.Splice(0, tasks); err != nil {
					b.Fatal(err)
				}
			}
			perTask(b, n)
		})
	}
}

// definition is one of n tasks as people write them, in groups of ten that wait
// for the group before.
func definition(n int) *dag.DAG {
	d := &dag.DAG{
		Parameters:  dag.Parameters{"DATE": dag.Scalar("2026-01-31")},
		JobDefaults: dag.Job{Environment: []string{"LANG=C"}},
		Tasks:       layered(n, 10, 2),
	}
	for i := range d.Tasks {
		t := &d.Tasks[i]
		t.Job.Command = []string{"process", "--date={{DATE}}", "--in", "/data/in/" + t.Name}
		t.MaxRetries = 2
	}
	return d
}

// BenchmarkParse decodes a definition of a million tasks; reference is what
// encoding/json needs to make maps of it.
func BenchmarkParse(b *testing.B) {
	const n = 1_000_000
	data, err := definition(n).MarshalJSON()
	if err != nil {
		b.Fatal(err)
	}
	var reference float64
	b.Run("reference", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			var v map[string]any
			if err := json.Unmarshal(data, &v); err != nil {
				b.Fatal(err)
			}
		}
		perTask(b, n)
		reference = perIteration(b)
	})
	b.Run("dag", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := dag.Parse(data); err != nil {
				b.Fatal(err)
			}
		}
		perTask(b, n)
		b.ReportMetric(perIteration(b)/reference, "maps")
	})
}

func BenchmarkMarshal(b *testing.B) {
	const n = 100_000
	d := definition(n)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.MarshalJSON(); err != nil {
			b.Fatal(err)
		}
	}
	perTask(b, n)
}

// BenchmarkValidate validates a million tasks; reference is one pass of Kahn's
// algorithm over a graph that is there already.
func perIteration(b *testing.B) float64 {
	b.Helper()
	return float64(b.Elapsed()) / float64(b.N)
}

func BenchmarkValidate(b *testing.B) {
	const n = 1_000_000
	data, err := definition(n).MarshalJSON()
	if err != nil {
		b.Fatal(err)
	}
	d, err := dag.Parse(data)
	if err != nil {
		b.Fatal(err)
	}
	g, err := d.Graph()
	if err != nil {
		b.Fatal(err)
	}
	var reference float64
	b.Run("reference", func(b *testing.B) {
		for b.Loop() {
			if kahn(g) != n {
				b.Fatal("a cycle")
			}
		}
		perTask(b, n)
		reference = perIteration(b)
	})
	b.Run("dag", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := d.Validate(); err != nil {
				b.Fatal(err)
			}
		}
		perTask(b, n)
		b.ReportMetric(perIteration(b)/reference, "kahns")
	})
}

func kahn(g *dag.Graph) int {
	n := g.Len()
	waits, ready := make([]int32, n), make([]int32, 0, n)
	for i := range n {
		if waits[i] = int32(len(g.Parents(i))); waits[i] == 0 {
			ready = append(ready, int32(i))
		}
	}
	for at := 0; at < len(ready); at++ {
		for _, c := range g.Children(int(ready[at])) {
			if waits[c]--; waits[c] == 0 {
				ready = append(ready, c)
			}
		}
	}
	return len(ready)
}
