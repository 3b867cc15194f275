package runner_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/runner"
)

// Nothing starts before its parents have ended, by the clock of the report
// either: a worker that has to wait for its turn does not start its next
// attempt at the time it began to wait (D1).
func TestStartsAfterParentsEnd(t *testing.T) {
	t.Parallel()
	const pairs, links = 8, 250
	d := &dag.DAG{}
	for p := range pairs {
		for l := range links {
			name := func(side string, link int) string { return fmt.Sprint(side, p, "-", link) }
			var parents []string
			if l > 0 {
				parents = []string{name("a", l-1), name("b", l-1)}
			}
			d.Tasks = append(d.Tasks,
				task(name("a", l), parents...), task(name("b", l), parents...))
		}
	}
	for range 10 {
		report, err := (&runner.Runner{Executor: &recorder{}, MaxRunning: 4}).Run(t.Context(), d)
		require.NoError(t, err)
		for _, task := range d.Tasks {
			child, _ := report.Task(task.Name)
			require.False(t, child.End.Before(child.Start), "%s ends before it starts", task.Name)
			for _, name := range task.Parents {
				parent, _ := report.Task(name)
				require.False(t, child.Start.Before(parent.End), "%s starts at %v, %s ends at %v",
					task.Name, child.Start, name, parent.End)
			}
		}
	}
}
