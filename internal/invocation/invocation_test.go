package invocation

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
)

func TestWords(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		job  dag.Job
		want []string
		err  string
	}{
		"words":          {dag.Command("a", "b c"), []string{"a", "b c"}, ""},
		"a string":       {dag.Job{CommandString: "a b"}, []string{"a", "b"}, ""},
		"quotes":         {dag.Job{CommandString: `a "b c"`}, []string{"a", "b c"}, ""},
		"an open quote":  {dag.Job{CommandString: `a "b`}, nil, "command \"a \\\"b\": "},
		"empty quotes":   {dag.Job{CommandString: `""`}, nil, "no command"},
		"no comment":     {dag.Job{CommandString: "# a"}, []string{"#", "a"}, ""},
		"blanks":         {dag.Job{CommandString: " \t"}, nil, "no command"},
		"nothing":        {dag.Job{}, nil, "no command"},
		"an empty word":  {dag.Command("", "a"), nil, "no command"},
		"an empty list":  {dag.Job{Command: []string{}}, nil, "no command"},
		"a placeholder":  {dag.Job{CommandString: "{{A}}"}, []string{"{{A}}"}, ""},
		"words win over": {dag.Job{Command: []string{"a"}, CommandString: "b"}, []string{"a"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Words(tc.job)
			require.Equal(t, tc.want, got)
			if tc.err == "" {
				require.NoError(t, err)
				require.NoError(t, Check(tc.job))
				return
			}
			require.ErrorContains(t, err, tc.err)
			require.Equal(t, err, Check(tc.job))
		})
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	environ := []string{"PATH=/bin", "LC_ALL=C", "LC=x", "SECRET=1", "PATHS=y", "BARE"}
	require.Equal(t, []string{"PATH=/bin", "LC_ALL=C", "BARE"},
		Inherit([]string{"PATH", "LC_*", "BARE"}, environ))
	require.Equal(t, environ, Inherit([]string{"*"}, environ))
	require.Empty(t, Inherit(nil, environ))

	require.Equal(t, []string{"A=3", "B=1", "C="},
		LastOfEach([]string{"A=1", "B=1", "A=2", "C=1", "A=3", "C="}))

	require.NoError(t, CheckEnvironment([]string{"A=", "B=c=d", "{{ENTRY}}"}))
	for _, entry := range []string{"A", "=a", ""} {
		require.ErrorContains(t, CheckEnvironment([]string{"A=1", entry}), "KEY=value")
	}
}

// uncomparable is a writer that panics when it is compared.
type uncomparable struct {
	io.Writer
	_ []int
}

func TestJoined(t *testing.T) {
	t.Parallel()
	var a, b bytes.Buffer
	require.True(t, Joined(&a, &a))
	require.False(t, Joined(&a, &b))
	w := uncomparable{Writer: &a}
	require.False(t, Joined(w, w))
}
