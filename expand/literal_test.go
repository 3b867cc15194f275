package expand_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/expand"
)

func TestLiteral(t *testing.T) {
	t.Parallel()
	full := dag.Job{
		Command: []string{"a", "{{.ID}}", "{", "{{ x }}"}, Environment: []string{"A=1"},
		WorkDir: "/x", TimeLimit: time.Second, Resources: dag.Resources{"cores": 2},
		Options: map[string]any{"o": []any{"x", 1}},
	}
	for _, test := range []struct {
		name     string
		job, def dag.Job
		want     bool
	}{
		{name: "nothing", want: true},
		{name: "command", job: dag.Command("a", "b"), want: true},
		{name: "everything", job: full, want: true},
		{name: "word", job: dag.Command("a", "b{{X}}")},
		{name: "escaped word", job: dag.Command("a", `\{{X}}`)},
		{name: "commandString", job: dag.Job{CommandString: "a"}},
		{name: "environment", job: dag.Job{Environment: []string{"A={{X}}"}}},
		{name: "workDir", job: dag.Job{WorkDir: "{{X}}"}},
		{name: "options", job: dag.Job{Options: map[string]any{"o": []string{"{{X}}"}}}},
		{name: "default command", job: full, def: dag.Command("x")},
		{name: "default nothing", job: full, def: dag.Job{Command: []string{}}},
		{name: "default commandString", job: full, def: dag.Job{CommandString: "x"}},
		{name: "default environment", job: full, def: dag.Job{Environment: []string{"A=2"}}},
		{name: "default workDir", job: full, def: dag.Job{WorkDir: "/"}},
		{name: "default time limit", job: full, def: dag.Job{TimeLimit: 1}},
		{name: "default resources", job: full, def: dag.Job{Resources: dag.Resources{"cores": 1}}},
		{name: "default options", job: full, def: dag.Job{Options: map[string]any{"x": 1}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			task := dag.Task{Name: "t", Job: test.job}
			require.Equal(t, test.want, expand.Literal(&task, &test.def))
			if test.want {
				require.True(t, expand.Literal(&task, nil))
				require.Equal(t, test.job, compile(t, task, nil).At(0).Job)
			}
		})
	}
}
