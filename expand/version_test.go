package expand_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/expand"
)

// golden is what version 1 of the rules makes of the definition below. A log
// that was written by version 1 means these instances. If this test has to be
// altered, [expand.Version] must be too.
const golden = `
one: ["run" "" "# a" "-x={{A}}"] [K=s A= ]
many_1: ["s" "{{.X}}" "b1" "a1" "\\{{a}}"] [K=own]
many_2: ["s" "{{.X}}" "b1" "a2" "\\{{a}}"] [K=own]
many_3: ["s" "{{.X}}" "b2" "a1" "\\{{a}}"] [K=own]
many_4: ["s" "{{.X}}" "b2" "a2" "\\{{a}}"] [K=own]
`

func TestVersion(t *testing.T) {
	t.Parallel()
	d := &dag.DAG{
		Parameters: dag.Parameters{
			"S": dag.Scalar("s"), "a": dag.List("a1", "a2"), "B": dag.List("b1", "b2"),
			"A": dag.Scalar(""),
		},
		JobDefaults: dag.Job{
			CommandString: `run '' "# a" -x=\{{A}}`, Environment: []string{"K={{S}}"},
		},
		Tasks: []dag.Task{
			{Name: "one", Job: dag.Job{Environment: []string{"A={{A}} "}}},
			{Name: "many", Job: dag.Job{
				Command:     []string{"{{S}}", "{{.X}}", "{{B}}", "{{a}}", `\\{{a}}`},
				Environment: []string{"K=own"},
			}},
		},
	}
	require.NoError(t, expand.Validate(d))
	var b strings.Builder
	b.WriteString("\n")
	for _, task := range d.Tasks {
		template, err := expand.Compile(task, d.JobDefaults, d.Parameters)
		require.NoError(t, err)
		for i := range template.Len() {
			in := template.At(i)
			fmt.Fprintf(&b, "%s: %q %s\n", in.Name, in.Job.Command, in.Job.Environment)
		}
	}
	require.Equal(t, golden, b.String())
	require.Equal(t, 1, expand.Version)
}
