package slurm_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
)

// A journal is a file to which tasks append who they are: the judge of how often
// each of them ran.
type journal string

func newJournal(t *testing.T) journal {
	t.Helper()
	return journal(filepath.Join(t.TempDir(), "journal"))
}

// job appends a line, and then does what the script says, in which $1 is the
// journal.
func (j journal) job(name, script string) dag.Job {
	return dag.Command("sh", "-c", `echo "$2" >>"$1"; `+script, "sh", string(j), name)
}

// lines says how often each line is there.
func (j journal) lines(t *testing.T) map[string]int {
	t.Helper()
	b, err := os.ReadFile(string(j))
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	n := map[string]int{}
	for line := range strings.Lines(string(b)) {
		n[strings.TrimSuffix(line, "\n")]++
	}
	return n
}

// once checks that each instance of the task ran, and not twice.
func (j journal) once(t *testing.T, name string, n int) {
	t.Helper()
	want := map[string]int{}
	for i := range n {
		want[fmt.Sprintf("%s %d", name, i)] = 1
	}
	require.Equal(t, want, j.lines(t))
}

// numbers is a list parameter of n values.
func numbers(n int) dag.Value {
	values := make([]string, n)
	for i := range values {
		values[i] = strconv.Itoa(i)
	}
	return dag.List(values...)
}

// many is a definition with one task of n instances.
func (j journal) many(n int, script string) *dag.DAG {
	return &dag.DAG{
		Parameters: dag.Parameters{"N": numbers(n)},
		Tasks:      []dag.Task{{Name: "many", Job: j.job("many {{N}}", script)}},
	}
}
