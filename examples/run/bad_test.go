package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each of these is refused as a whole: exit 2, nothing on stdout, a line for
// each problem with its place and its remedy, and the task that could have
// started has not.
func TestBadDefinitions(t *testing.T) {
	t.Parallel()
	thousand, err := json.Marshal(strings.Fields(strings.Repeat("x ", 1000)))
	require.NoError(t, err)
	for _, tc := range []struct {
		name       string
		parameters string
		tasks      string // on line 3 and after
		wants      []string
	}{
		{
			name:  "unknown member",
			tasks: `"a": {"maxRetrys": 1}`,
			wants: []string{"line 3, column 7", `task "a"`, `"maxRetrys"`, "maxRetries"},
		},
		{
			name:  "duplicate member",
			tasks: `"a": {"maxRetries": 1, "maxRetries": 2}`,
			wants: []string{"line 3, column 24", `task "a"`, "maxRetries", "twice"},
		},
		{
			name:  "duplicate task",
			tasks: "\"a\": {},\n\"a\": {}",
			wants: []string{"line 4, column 1", `task "a"`, "line 3"},
		},
		{
			name:  "wrongly-cased member",
			tasks: `"a": {"MaxRetries": 1}`,
			wants: []string{"line 3, column 7", `"MaxRetries"`, `"maxRetries"`},
		},
		{
			name:  "unknown parent",
			tasks: `"calc_date": {}, "report": {"parents": ["calc_dat"]}`,
			wants: []string{"line 3, column 41", `task "report"`, `"calc_dat"`, `"calc_date"`},
		},
		{
			name:       "an instance in a dependency",
			parameters: `"D": ["1", "2"]`,
			tasks:      `"c": {"job": {"command": ["echo", "{{D}}"]}}, "r": {"parents": ["c_1"]}`,
			wants:      []string{"line 3, column 65", `task "r"`, `"c_1"`, `write "c"`},
		},
		{
			name:  "cycle",
			tasks: `"a": {"children": ["b"]}, "b": {"children": ["c"]}, "c": {"children": ["a"]}`,
			wants: []string{"a → b → c → a", "remove one"},
		},
		{
			name:  "self edge",
			tasks: `"a": {"parents": ["a"]}`,
			wants: []string{"line 3, column 19", `task "a"`, "itself", `remove "a"`},
		},
		{
			name:       "empty list",
			parameters: `"D": []`,
			tasks:      `"a": {"job": {"command": ["echo", "{{D}}"]}}`,
			wants:      []string{"line 1, column", "parameters.D", "empty", "give it a value"},
		},
		{
			name: "product overflow",
			parameters: fmt.Sprintf(`"A": %s, "B": %[1]s, "C": %[1]s, "D": %[1]s, "E": %[1]s,
				"F": %[1]s, "G": %[1]s`, thousand),
			tasks: `"a": {"job": {"commandString": "x {{A}}{{B}}{{C}}{{D}}{{E}}{{F}}{{G}}"}}`,
			wants: []string{"line 4", `task "a"`, "A (1000)", "shorten a list"},
		},
		{
			name:       "unknown placeholder",
			parameters: `"DATE": "x"`,
			tasks:      `"a": {"job": {"command": ["echo", "{{DATTE}}"]}}`,
			wants:      []string{"line 3, column 35", `task "a"`, "{{DATTE}}", "{{DATE}}"},
		},
		{
			name:       "a name that is an instance's",
			parameters: `"D": ["1", "2"]`,
			tasks:      `"calc": {"job": {"command": ["echo", "{{D}}"]}}, "calc_2": {}`,
			wants:      []string{"line 3, column 50", `task "calc_2"`, "calc", "rename"},
		},
		{
			name:  "unknown pool",
			tasks: `"a": {"pool": "slurm", "job": {"command": ["echo"]}}`,
			wants: []string{"line 3, column 7", `task "a"`, `"slurm"`},
		},
		{
			name:  "more than any node has",
			tasks: `"a": {"job": {"command": ["echo"], "cores": 65536}}`,
			wants: []string{`task "a"`, "65536 cores", "largest node"},
		},
		{
			name:  "an option that the executor does not know",
			tasks: `"a": {"job": {"command": ["echo"], "partition": "x"}}`,
			wants: []string{`task "a"`, `"partition"`},
		},
		{
			name:  "not JSON",
			tasks: `"a": {,}`,
			wants: []string{"line 3, column 7"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			marker := filepath.Join(t.TempDir(), "started")
			definition := fmt.Sprintf(`{"parameters": {%s},
				"tasks": {
%s,
				"marker": {"job": {"command": ["touch", %q]}}}}`, tc.parameters, tc.tasks, marker)
			o := play(t, definition, "-report", "json")
			require.Equal(t, exitBad, o.code, o.stderr)
			require.Empty(t, o.stdout)
			require.Equal(t, 1, strings.Count(o.stderr, "\n"), "one line: %s", o.stderr)
			for _, want := range append(tc.wants, "standard input: ") {
				require.Contains(t, o.stderr, want)
			}
			require.NoFileExists(t, marker)
		})
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	o := play(t, `{"tasks": {
		"a": {"parents": ["nobody"], "job": {"command": ["echo", "{{NOTHING}}"]}},
		"b": {"children": ["b"]},
		"c": {"maxRetries": -1}
	}}`)
	require.Equal(t, exitBad, o.code)
	for i, want := range []string{"nobody", "NOTHING", "itself", "maxRetries"} {
		require.Contains(t, o.stderr, want, i)
	}
	require.Equal(t, 4, strings.Count(o.stderr, "\n"))
}

// A generator that prints what cannot be used fails that attempt, adds nothing,
// and the rest of the run goes on (D7).
func TestBadGenerators(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		output []string // the words of a command that prints it
		wants  []string
	}{
		{"garbage", []string{"echo", "what?"}, []string{"line 1, column 1"}},
		{"nothing", []string{"true"}, []string{"{}"}},
		{
			"an unknown member",
			[]string{"printf", `{\n  "x": {"maxRetrys": 1}}`},
			[]string{"line 2, column 9", `"maxRetrys"`},
		},
		{
			"a cycle",
			[]string{"echo", `{"x": {"children": ["y"]}, "y": {"children": ["x"]}}`},
			[]string{"x → y → x"},
		},
		{
			"a cycle through what exists",
			[]string{"echo", `{"x": {"children": ["gen"]}}`},
			[]string{"→ x →"},
		},
		{"a name that exists", []string{"echo", `{"x": {}, "other": {}}`}, []string{`"other"`}},
		{"a name twice", []string{"echo", `{"x": {}, "x": {}}`}, []string{`"x"`, "column 11"}},
		{
			"an unknown parent",
			[]string{"echo", `{"x": {"parents": ["othr"]}}`},
			[]string{`"othr"`, `"other"`},
		},
		{
			"too many instances",
			[]string{"echo", `{"x": {"job": {"commandString": "echo {{W}}{{X}}{{Y}}{{Z}}"}}}`},
			[]string{"limit"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			command, err := json.Marshal(tc.output)
			require.NoError(t, err)
			list, err := json.Marshal(strings.Fields(strings.Repeat("x ", 100)))
			require.NoError(t, err)
			definition := fmt.Sprintf(`{
				"parameters": {"W": %[1]s, "X": %[1]s, "Y": %[1]s, "Z": %[1]s},
				"tasks": {
					"gen": {"isGenerator": true, "job": {"command": %[2]s}, "children": ["after"]},
					"other": {"job": {"command": ["echo", "goes on"]}},
					"after": {"job": {"command": ["echo"]}}
				}}`, list, strings.ReplaceAll(string(command), "{{", `\\{{`))
			o := play(t, definition, "-report", "json")
			require.Equal(t, exitNotCompleted, o.code)
			r := report(t, o.stdout)
			require.Len(t, r.Tasks, 3, "the graph is as it was")
			require.Equal(t, "failed", r.Tasks["gen"].State)
			for _, want := range tc.wants {
				require.Contains(t, r.Tasks["gen"].Reason, want)
			}
			require.Equal(t, "goes on\n", r.Tasks["other"].Stdout)
			require.Equal(t, "skipped", r.Tasks["after"].State)
		})
	}
}

func TestGeneratorWithTooMuchOutput(t *testing.T) {
	t.Parallel()
	o := play(t, `{"tasks": {
		"gen": {"isGenerator": true, "job": {"command": ["head", "-c", "67108865", "/dev/zero"]}},
		"other": {"job": {"command": ["echo", "goes on"]}}
	}}`)
	require.Equal(t, exitNotCompleted, o.code)
	require.Contains(t, o.stdout, "1 completed, 1 failed")
	require.Contains(t, o.stderr, "67108865 bytes, more than the limit of 67108864")
}

// Bad usage is said on stderr, and nothing is started.
func TestBadUsage(t *testing.T) {
	t.Parallel()
	good := filepath.Join("testdata", "reference.json")
	for _, tc := range []struct {
		name string
		args []string
		want string
	}{
		{"no file", nil, "want one FILE"},
		{"two files", []string{good, good}, "want one FILE"},
		{"flags after the file", []string{good, "-fail-fast"}, "flags come before"},
		{"no such file", []string{"testdata/no-such.json"}, "no-such.json"},
		{"a directory", []string{"testdata"}, "testdata"},
		{"unknown flag", []string{"-parallell", "2", good}, "-parallell"},
		{"unknown executor", []string{"-executor", "kubernetes", good}, "fork, slurm, sim"},
		{"unknown graph", []string{"-graph", "svg", good}, "mermaid, dot"},
		{"unknown report", []string{"-report", "xml", good}, "text, json"},
		{"unknown progress", []string{"-progress", "on", good}, "auto"},
		{"no cores", []string{"-parallel", "0", good}, "number of cores"},
		{"no ID", []string{"-run", "a\nb", good}, "printable"},
		{"no log", []string{"-log", "", good}, "a directory"},
		{"a log that is a file", []string{"-log", good, good}, "reference.json"},
		{"retry of nothing", []string{"-retry", "-run", "x", good}, "needs -log and -run"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o := playFile(t, nil, tc.args...)
			require.Equal(t, exitBad, o.code)
			require.Empty(t, o.stdout)
			require.Contains(t, o.stderr, tc.want)
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	o := playFile(t, nil, "-h")
	require.Equal(t, exitCompleted, o.code)
	require.Equal(t, usage, o.stderr)
}
