package dag_test

import (
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
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/task")
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
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/task")
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
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/task")
		})
	}
}
