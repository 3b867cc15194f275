package inproc_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/inproc"
)

func TestGenerator(t *testing.T) {
	t.Parallel()
	two := []dag.Task{{Name: "b", Job: dag.Command("x")}, {Name: "a", Parents: []string{"b"}}}
	for name, test := range map[string]struct {
		tasks []dag.Task
		err   error
		ok    bool
	}{
		"tasks":    {two, nil, true},
		"no tasks": {nil, nil, true},
		"error":    {nil, io.EOF, false},
		"not UTF8": {[]dag.Task{{Name: "a", Job: dag.Command("\xff")}}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ex := one(inproc.Generator(func(context.Context, *inproc.Call) ([]dag.Task, error) {
				return test.tasks, test.err
			}))
			var stdout bytes.Buffer
			a := attempt(dag.Command("f"))
			a.Stdout = &stdout
			res, err := ex.Run(t.Context(), a)
			require.NoError(t, err)
			require.Equal(t, test.ok, res.OK(), res.Message)
			if !test.ok {
				require.Empty(t, stdout.String())
				return
			}
			got, err := dag.ParseTasks(stdout.Bytes())
			require.NoError(t, err)
			require.Len(t, got, len(test.tasks))
			for i := range got {
				require.Equal(t, test.tasks[i].Name, got[i].Name)
			}
		})
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestGeneratorThatCannotPrint(t *testing.T) {
	t.Parallel()
	a := attempt(dag.Command("f"))
	a.Stdout = fullDisk{}
	ex := one(inproc.Generator(func(context.Context, *inproc.Call) ([]dag.Task, error) {
		return nil, nil
	}))
	res, err := ex.Run(t.Context(), a)
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(res.Message, io.ErrShortWrite.Error()))
}
