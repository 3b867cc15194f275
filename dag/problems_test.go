package dag_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
)

var update = flag.Bool("update", false, "rewrite testdata with what comes out")

// TestProblems reads testdata/problems.txt: definitions, each after "== name",
// and after "--" all that is wrong with them, by Parse or else by Validate with
// the places that Locate finds.
func TestProblems(t *testing.T) {
	t.Parallel()
	const file = "testdata/problems.txt"
	script, err := os.ReadFile(file)
	require.NoError(t, err)
	var updated strings.Builder
	cases := strings.Split(string(script), "== ")
	require.Empty(t, cases[0])
	for _, c := range cases[1:] {
		name, rest, _ := strings.Cut(c, "\n")
		text, want, ok := strings.Cut(rest, "\n--\n")
		require.True(t, ok, name)
		err := problemsOf(text)
		got := strings.Join(messages(err), "\n") + "\n\n"
		updated.WriteString("== " + name + "\n" + text + "\n--\n" + got)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.ErrorIs(t, err, dag.ErrInvalid)
			if !*update {
				require.Equal(t, want, got)
			}
		})
	}
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(updated.String()), 0o600))
	}
}

func problemsOf(text string) error {
	d, err := dag.Parse([]byte(text))
	if err != nil {
		return err
	}
	return dag.Locate([]byte(text), d.Validate())
}
