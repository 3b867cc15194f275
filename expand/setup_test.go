package expand_test

import (
	"errors"
	"testing"

	"github.com/hashicorp/go-multierror"
	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/expand"
)

func compile(t *testing.T, task dag.Task, p dag.Parameters) *expand.Template {
	t.Helper()
	template, err := expand.Compile(task, dag.Job{}, p)
	require.NoError(t, err)
	return template
}

// problems returns what is in err, all of which must be about the definition.
func problems(t *testing.T, err error) []*dag.Problem {
	t.Helper()
	require.ErrorIs(t, err, dag.ErrInvalid)
	many, ok := errors.AsType[*multierror.Error](err)
	require.True(t, ok)
	var found []*dag.Problem
	for _, e := range many.Errors {
		require.ErrorIs(t, e, dag.ErrInvalid)
		if p, ok := errors.AsType[*dag.Problem](e); ok {
			found = append(found, p)
		}
	}
	return found
}

// problem is for an error that has exactly one.
func problem(t *testing.T, err error) *dag.Problem {
	t.Helper()
	found := problems(t, err)
	require.Len(t, found, 1, "%v", err)
	return found[0]
}

// fields are the places of problems, as task:member.
func fields(t *testing.T, err error) []string {
	t.Helper()
	var all []string
	for _, p := range problems(t, err) {
		all = append(all, p.Task+":"+p.Field)
	}
	return all
}

func names(t *expand.Template) []string {
	all := make([]string, t.Len())
	for i := range all {
		all[i] = t.At(i).Name
	}
	return all
}

func commands(t *expand.Template) [][]string {
	all := make([][]string, t.Len())
	for i := range all {
		all[i] = t.At(i).Job.Command
	}
	return all
}
