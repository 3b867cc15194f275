package crash_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/inproc"
)

// murder is a task that takes its engine down every time.
func murder(context.Context, *inproc.Call) error {
	die()
	return nil
}

// poisonous is a workflow with such a task.
func poisonous(dir string) *dag.DAG {
	return &dag.DAG{Tasks: []dag.Task{
		{Name: "first", Job: job(dir, ok, 5)},
		{Name: "poison", Job: dag.Command("murder"), Pool: "functions", Parents: []string{"first"}},
		{Name: "left", Job: job(dir, ok, 50), Parents: []string{"first"}},
		{Name: "last", Job: job(dir, ok, 5), Parents: []string{"left"}},
		{Name: "never", Job: job(dir, ok, 5), Parents: []string{"poison"}},
	}}
}

// A task that kills every engine fails in the end, and the rest completes.
func TestPoison(t *testing.T) { // L4
	t.Parallel()
	s := newSite(t, poisoned, random(t))
	for s.engine("", -1) != exitFailed {
		require.Less(t, s.kills, 30, "it kills for ever")
	}
	require.Equal(t, "poison failed poison\nnever skipped success\n", s.said)
	require.GreaterOrEqual(t, s.kills, 3)
	s.empty()
	all, err := lives(s.dir)
	require.NoError(t, err)
	require.Empty(t, exactlyOnce(all, map[string]int{"first": 0, "left": 0, "last": 0}))
}
