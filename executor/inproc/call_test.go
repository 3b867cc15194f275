package inproc_test

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/inproc"
)

func TestCall(t *testing.T) {
	t.Parallel()
	a := attempt(dag.Job{
		Command:     []string{"f", "a b", ""},
		Environment: []string{"K=1", "NAME=x=y", "K=2", "DAGGY_RUN=forged", "broken"},
		WorkDir:     "/data",
	})
	var out, problems bytes.Buffer
	a.Stdout, a.Stderr = &out, &problems
	_, err := one(func(_ context.Context, c *inproc.Call) error {
		require.Equal(t, []string{"a b", ""}, c.Args)
		require.Same(t, a, c.Attempt)
		require.Equal(t, a.Job.Environment, c.Env)
		require.Equal(t, a.Environ(), c.Environ())
		require.Equal(t, "/data/x", c.Path("x"))
		require.Equal(t, "/x", c.Path("/x"))
		for key, want := range map[string]string{
			"K": "2", "NAME": "x=y", "broken": "", "HOME": "",
			"DAGGY_RUN": "run", "DAGGY_TASK": "calc_2", "DAGGY_ATTEMPT": "3", "DAGGY_KEY": "key",
		} {
			require.Equal(t, want, c.Getenv(key), key)
			_, ok := c.LookupEnv(key)
			require.Equal(t, want != "", ok, key)
		}
		_, _ = io.WriteString(c.Stdout, "out")
		_, _ = io.WriteString(c.Stderr, "problems")
		return nil
	}).Run(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, "out", out.String())
	require.Equal(t, "problems", problems.String())
}

func TestPathWithoutWorkDir(t *testing.T) {
	t.Parallel()
	c := inproc.Call{Attempt: attempt(dag.Command("f"))}
	require.Equal(t, "x", c.Path("x"))
}
