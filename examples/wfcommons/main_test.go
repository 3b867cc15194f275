package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/daggy-go/daggy/dag"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	diamond = `diamond: 5 tasks, 4 edges, 151.0 s of work
  critical path  120.5 s in 3 tasks: split_1 → right_3 → join_4
`
	instant = `instant: 1 tasks, 0 edges, 0.0 s of work
  critical path  0.0 s in 1 tasks: only
  makespan       0.0 s (run in 0s)
  ratio          none: the critical path takes no time
`
)

// Virtual time has no noise: with room for all, a run takes as long as its
// critical path; one task at a time, as long as all of its work.
func TestRun(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{
			"a file",
			[]string{"testdata/diamond.json"},
			diamond + "  makespan       120.5 s (run in 1.205s)\n  ratio          1.000\n",
		},
		{
			"a scale",
			[]string{"-scale", "0.1", "testdata/diamond.json"},
			diamond + "  makespan       120.5 s (run in 12.05s)\n  ratio          1.000\n",
		},
		{
			"one at a time",
			[]string{"-parallel", "1", "testdata/diamond.json"},
			diamond + "  makespan       151.0 s (run in 1.51s)\n  ratio          1.253\n",
		},
		{
			"a directory",
			[]string{"testdata"},
			diamond + "  makespan       120.5 s (run in 1.205s)\n  ratio          1.000\n" +
				instant,
		},
		{
			"several files",
			[]string{"testdata/instant.json", "testdata/diamond.json"},
			instant +
				diamond + "  makespan       120.5 s (run in 1.205s)\n  ratio          1.000\n",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				require.NoError(t, run(t.Context(), tc.args, &out))
				require.Equal(t, tc.want, out.String())
			})
		})
	}
}

// In real time there is noise, but no run is faster than its critical path.
func TestGoRun(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "run", ".", "-scale", "0.001", "testdata")
	stdout, err := cmd.Output()
	require.NoError(t, err)
	require.Contains(t, string(stdout), diamond)
	require.NotContains(t, string(stdout), "ratio          0")
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	workflow := func(specification, execution string) string {
		return `{"schemaVersion": "1.5", "workflow": {"specification": {"tasks": [` +
			specification + `]}, "execution": {"tasks": [` + execution + `]}}}`
	}
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"nothing", nil, "want a file"},
		{"no such file", []string{"testdata/no-such.json"}, "no-such.json"},
		{"no files", []string{t.TempDir()}, "no files"},
		{"an unknown flag", []string{"-x", "testdata"}, "-x"},
		{"no scale", []string{"-scale", "0", "testdata"}, "-scale 0"},
		{"a scale that is no number", []string{"-scale", "NaN", "testdata"}, "-scale NaN"},
		{"none at a time", []string{"-parallel", "0", "testdata"}, "-parallel 0"},
		{"not JSON", []string{file("text.json", "text")}, "text.json"},
		{
			"another version",
			[]string{file("old.json", `{"schemaVersion": "1.3"}`)},
			`"1.3", want "1.5"`,
		},
		{
			"a task without a runtime",
			[]string{file("runtime.json", workflow(`{"id": "a"}`, `{"id": "a"}`))},
			`task "a" has no runtime`,
		},
		{
			"a negative runtime",
			[]string{file("negative.json",
				workflow(`{"id": "a"}`, `{"id": "a", "runtimeInSeconds": -1}`))},
			`task "a": runtimeInSeconds is -1`,
		},
		{
			"a task that was not executed",
			[]string{file("missing.json", workflow(`{"id": "a"}`, ""))},
			`task "a" was not executed`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			// Bad files keep good ones from being run, too.
			args := tc.args
			if len(args) == 1 {
				args = []string{"testdata/instant.json", args[0]}
			}
			err := run(t.Context(), args, &out)
			require.ErrorIs(t, err, errBad)
			require.ErrorContains(t, err, tc.want)
			require.Empty(t, out.String())
		})
	}
}

func TestCycle(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cycle.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"schemaVersion": "1.5", "workflow": {
		"specification": {"tasks": [
			{"id": "a", "parents": ["b"]}, {"id": "b", "parents": ["a"]}
		]},
		"execution": {"tasks": [
			{"id": "a", "runtimeInSeconds": 1}, {"id": "b", "runtimeInSeconds": 1}
		]}}}`), 0o600))
	_, err := read(path)
	var cycle *dag.CycleError
	require.ErrorAs(t, err, &cycle)
	require.ErrorIs(t, err, dag.ErrInvalid)
}
