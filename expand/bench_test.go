package expand_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/expand"
)

// numbers returns n values of a typical length.
func numbers(n int) dag.Value {
	values := make([]string, n)
	for i := range values {
		values[i] = "value-" + strconv.Itoa(i)
	}
	return dag.List(values...)
}

// BenchmarkTemplateAt makes one instance: four words, two parameters.
func BenchmarkTemplateAt(b *testing.B) {
	params := dag.Parameters{"DATE": numbers(1000), "SOURCE": numbers(1000)}
	for _, bench := range []struct {
		name string
		job  dag.Job
	}{
		{"command", dag.Command("/usr/bin/calc", "--date={{DATE}}", "--from", "{{SOURCE}}")},
		{"everything", dag.Job{
			CommandString: "/usr/bin/calc --date={{DATE}} --from {{SOURCE}}",
			Environment:   []string{"TZ=UTC", "DATE={{DATE}}"},
			WorkDir:       "/data/{{SOURCE}}",
			Options:       map[string]any{"queue": "long", "comment": "for {{DATE}}"},
		}},
	} {
		b.Run("job="+bench.name, func(b *testing.B) {
			t, err := expand.Compile(dag.Task{Name: "calc", Job: bench.job}, dag.Job{}, params)
			require.NoError(b, err)
			require.Equal(b, 1_000_000, t.Len())
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				in := t.At(i % 1_000_000)
				if len(in.Job.Command) != 4 {
					b.Fatal(in)
				}
				i += 7919
			}
		})
	}
}

func BenchmarkTemplateName(b *testing.B) {
	t, err := expand.Compile(dag.Task{Name: "calc", Job: dag.Command("calc", "{{DATE}}")},
		dag.Job{}, dag.Parameters{"DATE": numbers(1000)})
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if i, ok := t.Index(t.Name(776)); !ok || i != 776 {
			b.Fatal(i)
		}
	}
}

func BenchmarkLiteral(b *testing.B) {
	for _, bench := range []struct {
		name string
		job  dag.Job
	}{
		{"words=1", dag.Command("noop")},
		{"words=3", dag.Command("/usr/bin/calc", "--date", "2021-01-01")},
		{"words=3,environment", dag.Job{
			Command: []string{"calc", "--date", "2021-01-01"}, Environment: []string{"TZ=UTC"},
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			t, defaults := dag.Task{Name: "calc", Job: bench.job}, dag.Job{}
			b.ReportAllocs()
			for b.Loop() {
				if !expand.Literal(&t, &defaults) {
					b.Fatal("not literal")
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	params := dag.Parameters{"DATE": dag.Scalar("2021-01-01"), "SOURCE": numbers(1000)}
	for _, bench := range []struct {
		name string
		job  dag.Job
	}{
		{"scalar", dag.Command("/usr/bin/calc", "--date={{DATE}}")},
		{"list", dag.Command("/usr/bin/calc", "--date={{DATE}}", "--from", "{{SOURCE}}")},
		{"string", dag.Job{CommandString: "/usr/bin/calc --date={{DATE}} --from {{SOURCE}}"}},
		{"quoted", dag.Job{CommandString: `/usr/bin/calc "--date={{DATE}}" --from '{{SOURCE}}'`}},
	} {
		b.Run("job="+bench.name, func(b *testing.B) {
			task := dag.Task{Name: "calc", Job: bench.job}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := expand.Compile(task, dag.Job{}, params); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkValidate compares what this package adds with the validation of the
// structure alone.
func BenchmarkValidate(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		d := &dag.DAG{Tasks: make([]dag.Task, n)}
		for i := range d.Tasks {
			name := "task_" + strconv.Itoa(i)
			d.Tasks[i] = dag.Task{Name: name, Job: dag.Command("calc", "--input", name)}
		}
		multiplied := *d
		multiplied.Parameters = dag.Parameters{"X": numbers(10)}
		many := dag.Task{Name: "many", Job: dag.Command("{{X}}")}
		multiplied.Tasks = append(d.Tasks[:n-1:n-1], many)
		for _, bench := range []struct {
			name     string
			validate func() error
		}{
			{"structure", d.Validate},
			{"plain", func() error { return expand.Validate(d) }},
			{"one-multiplied", func() error { return expand.Validate(&multiplied) }},
		} {
			b.Run("tasks="+strconv.Itoa(n)+"/"+bench.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := bench.validate(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/task")
			})
		}
	}
}
