package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/daggy-go/daggy/runner"
)

// slowest lists the tasks that took longest.
func slowest(r *runner.Report) string {
	tasks := slices.SortedFunc(r.Tasks(), func(a, b runner.TaskReport) int {
		return cmp.Or(cmp.Compare(took(b), took(a)), cmp.Compare(a.Name, b.Name))
	})
	var b strings.Builder
	b.WriteString("The slowest tasks, with the processor time of those that are processes:\n\n")
	for _, t := range tasks[:min(8, len(tasks))] {
		fmt.Fprintf(&b, "  %7s", round(took(t)))
		if cpu := t.Result.UserCPU + t.Result.SystemCPU; cpu > 0 {
			fmt.Fprintf(&b, "  %7s", round(cpu))
		} else {
			fmt.Fprintf(&b, "  %7s", "")
		}
		fmt.Fprintf(&b, "  %s\n", t.Name)
	}
	return b.String()
}

func took(t runner.TaskReport) time.Duration { return t.End.Sub(t.Start) }

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// stages are the kinds of tasks, drawn as the tree that they hang from.
var stages = []struct{ name, branch string }{
	{"list", ""},
	{"pack", "├─ "},
	{"weigh", "│  └─ "},
	{"lines", "├─ "},
	{"funcs", "├─ "},
	{"report", "└─ "},
}

// columns of the picture.
const columns = 56

// picture shows when the tasks of each stage ran, and how many at once.
func picture(r *runner.Report) string {
	work := map[string]*[columns]float64{}
	count := map[string]int{}
	busiest := 0.0
	for t := range r.Tasks() {
		stage, _, _ := strings.Cut(t.Name, " ")
		if work[stage] == nil {
			work[stage] = &[columns]float64{}
		}
		count[stage]++
		spread(work[stage], r, t)
		busiest = max(busiest, slices.Max(work[stage][:]))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "A DAG of 2 tasks generated %s more. ", thousands(r.Counts[runner.Completed]-2))
	fmt.Fprintf(&b, "What ran when in %s, and how many at once:\n\n", round(r.End.Sub(r.Start)))
	for _, s := range stages {
		fmt.Fprintf(&b, "  %-12s %s", s.branch+s.name, bars(work[s.name], busiest))
		fmt.Fprintf(&b, " %5s\n", thousands(count[s.name]))
	}
	return b.String()
}

// spread adds the time of a task to the columns in which it ran.
func spread(work *[columns]float64, r *runner.Report, t runner.TaskReport) {
	scale := columns / float64(max(r.End.Sub(r.Start), 1))
	from := float64(t.Start.Sub(r.Start)) * scale
	to := float64(t.End.Sub(r.Start)) * scale
	for i := max(0, int(from)); i < columns && float64(i) < to; i++ {
		work[i] += min(to, float64(i+1)) - max(from, float64(i))
	}
}

// bars draws a column for each number.
func bars(work *[columns]float64, busiest float64) string {
	levels := []rune("▁▂▃▄▅▆▇█")
	var b strings.Builder
	for _, w := range work {
		level := int(w / busiest * float64(len(levels)))
		if w == 0 {
			b.WriteRune('·')
			continue
		}
		b.WriteRune(levels[min(level, len(levels)-1)])
	}
	return b.String()
}
