package expand_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/expand"
)

type queue string

// D3: options of any shape, as Go programs and JSON make them.
func TestOptions(t *testing.T) {
	t.Parallel()
	pointer := new(string)
	*pointer = "{{L}}"
	for _, test := range []struct {
		name     string
		in, want any
	}{
		{"string", "{{L}}", "l"},
		{"several", "{{L}}-{{S}}-\\{{L}}", "l-s-{{L}}"},
		{"escaped alone", `\{{L}}`, "{{L}}"},
		{"named string", queue("q{{L}}"), queue("ql")},
		{"list", []any{"{{L}}", 1, nil, "x"}, []any{"l", 1, nil, "x"}},
		{"strings", []string{"x", "{{L}}"}, []string{"x", "l"}},
		{"array", [2]string{"{{L}}", "x"}, [2]string{"l", "x"}},
		{"lists of lists", [][]string{{"x"}, {"{{S}}"}}, [][]string{{"x"}, {"s"}}},
		{"map", map[string]any{"{{L}}": "{{L}}"}, map[string]any{"{{L}}": "l"}},
		{"map of strings", map[string]string{"k": "{{S}}"}, map[string]string{"k": "s"}},
		{"map of numbers", map[int]any{1: "{{L}}"}, map[int]any{1: "l"}},
		{
			"deep",
			map[string]any{"a": []any{map[string]any{"b": "{{L}}"}, "{{S}}"}},
			map[string]any{"a": []any{map[string]any{"b": "l"}, "s"}},
		},
		{"numbers", json.Number("12"), json.Number("12")},
		{"other values", []any{1.5, true, nil}, []any{1.5, true, nil}},
		{"bytes", []byte("{{L}}"), []byte("{{L}}")},
		{"behind pointers", pointer, pointer},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			job := dag.Job{
				Command: []string{"{{L}}"}, // so that the task is multiplied anyway
				Options: map[string]any{"o": test.in, "other": "x"},
			}
			template := compile(t, dag.Task{Name: "t", Job: job},
				dag.Parameters{"L": dag.List("l", "m"), "S": dag.Scalar("s")})
			for range 2 { // what is made of the first changes nothing for the second
				in := template.At(0)
				require.Equal(t, map[string]any{"o": test.want, "other": "x"}, in.Job.Options)
			}
			require.Equal(t, map[string]any{"o": test.in, "other": "x"}, job.Options)
		})
	}
}

func TestOptionsThatContainThemselves(t *testing.T) {
	t.Parallel()
	options := map[string]any{"a": "x"}
	options["self"], options["again"] = options, options
	task := dag.Task{Name: "t", Job: dag.Job{Options: options}}
	require.False(t, expand.Literal(&task, nil))
	_, err := expand.Compile(task, dag.Job{}, nil)
	require.Equal(t, "t", problem(t, err).Task)
}
