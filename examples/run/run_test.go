package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
)

// The cases that the systems before this library document: everything
// completes, in order, under the names that are documented (D1, D4, D7).
func TestDocumentedCases(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		file   string
		stdout map[string]string // by instance
		edges  [][2]string       // parent and child, instances
	}{
		{
			file: "reference.json",
			stdout: map[string]string{
				"Pull_A": "pulled A\n", "Pull_B": "pulled B\n", "Pull_C": "pulled C\n",
				"Transform_A": "transformed A\n", "Transform_B": "transformed B\n",
				"Transform_C": "transformed C\n", "Derive_Data_AB": "derived AB\n",
				"Derive_Data_ABC": "derived ABC\n", "Report": "a report on ABC\n",
			},
			edges: [][2]string{
				{"Pull_A", "Transform_A"},
				{"Pull_B", "Transform_B"},
				{"Pull_C", "Transform_C"},
				{"Transform_A", "Derive_Data_AB"},
				{"Transform_B", "Derive_Data_AB"},
				{"Derive_Data_AB", "Derive_Data_ABC"},
				{"Transform_C", "Derive_Data_ABC"},
				{"Derive_Data_ABC", "Report"},
			},
		},
		{
			file: "dates.json",
			stdout: map[string]string{
				"populate_inputs": "inputs from sensor\n",
				"calc_date_1":     "sensor on 2021-01-01\n",
				"calc_date_2":     "sensor on 2021-02-01\n",
				"calc_date_3":     "sensor on 2021-03-01\n",
				"generate_report": "report\n",
			},
			edges: [][2]string{
				{"populate_inputs", "calc_date_1"},
				{"populate_inputs", "calc_date_2"},
				{"populate_inputs", "calc_date_3"},
				{"calc_date_1", "generate_report"},
				{"calc_date_2", "generate_report"},
				{"calc_date_3", "generate_report"},
			},
		},
		{
			file: "generator.json",
			stdout: map[string]string{
				"pull_files":  "", // looked at below
				"calc_date_a": "a on 2021-01-01\n", "calc_date_b": "b on 2021-01-01\n",
				"generate_report": "report\n",
			},
			edges: [][2]string{
				{"pull_files", "calc_date_a"},
				{"pull_files", "calc_date_b"},
				{"calc_date_a", "generate_report"},
				{"calc_date_b", "generate_report"},
			},
		},
	} {
		t.Run(tc.file, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join("testdata", tc.file)
			o := playFile(t, nil, "-report", "json", "-progress", "off", "-run", "the run", file)
			require.Equal(t, exitCompleted, o.code, o.stderr)
			require.Empty(t, o.stderr)
			r := report(t, o.stdout)
			require.Equal(t, "the run", r.Run)
			require.Equal(t, "completed", r.State)
			require.Len(t, r.Tasks, len(tc.stdout))
			for name, stdout := range tc.stdout {
				require.Contains(t, r.Tasks, name)
				task := r.Tasks[name]
				require.Equal(t, "completed", task.State, name)
				require.Equal(t, 1, task.Attempts, name)
				require.NotNil(t, task.ExitCode, name)
				require.Zero(t, *task.ExitCode, name)
				require.Empty(t, task.Stderr, name)
				require.Empty(t, task.Reason, name)
				require.False(t, task.Start.IsZero(), name)
				require.False(t, task.End.Before(task.Start), name)
				if name == "pull_files" {
					tasks, err := dag.ParseTasks([]byte(task.Stdout))
					require.NoError(t, err)
					require.Len(t, tasks, 2)
					continue
				}
				require.Equal(t, stdout, task.Stdout, name)
			}
			for _, edge := range tc.edges {
				parent, child := r.Tasks[edge[0]], r.Tasks[edge[1]]
				require.False(t, child.Start.Before(parent.End), "%s before %s", edge[1], edge[0])
			}
		})
	}
}

// Members of a JSON object have no order for a program, but for a reader.
func TestReportKeepsTheOrder(t *testing.T) {
	t.Parallel()
	o := playFile(t, nil, "-progress", "off", "-report", "json", "testdata/dates.json")
	var names []string
	for line := range strings.Lines(o.stdout) {
		if name, _, ok := strings.Cut(line, `":{"state"`); ok {
			names = append(names, strings.Trim(name, `"`))
		}
	}
	require.Equal(t, []string{
		"populate_inputs", "calc_date_1", "calc_date_2", "calc_date_3", "generate_report",
	}, names)
}

func TestTextReport(t *testing.T) {
	t.Parallel()
	o := play(t, `{"tasks": {
		"good": {"job": {"command": ["echo", "well"]}},
		"bad": {"job": {"command": ["false"]}, "maxRetries": 1, "children": ["never"]},
		"never": {"job": {"command": ["echo", "no"]}}
	}}`, "-run", "text")
	require.Equal(t, exitNotCompleted, o.code)
	lines := fields(o.stdout)
	require.Len(t, lines, 5)
	require.Equal(t, []string{"state", "attempts", "time", "task"}, lines[0])
	require.Equal(t, []string{"completed", "1"}, lines[1][:2])
	require.Equal(t, "good", lines[1][3])
	require.Equal(t, []string{"failed", "2"}, lines[2][:2])
	require.Equal(t, []string{"bad:", "failure", "(exit", "1)"}, lines[2][3:])
	require.Equal(t, []string{"skipped", "0", "never"}, lines[3])
	last := strings.Join(lines[4], " ")
	require.Equal(t, "run text failed: 1 completed, 1 failed, 1 skipped", last)
	require.Equal(t, "run: task \"bad\", attempt 2: failure (exit 1)\n", o.stderr)
}

// What cannot be known is null, and other tasks go on (R2).
func TestFailuresInJSON(t *testing.T) {
	t.Parallel()
	o := play(t, `{"tasks": {
		"exit": {"job": {"command": ["sh", "-c", "echo out; echo err >&2; exit 3"]}},
		"missing": {"job": {"command": ["no-such-command-anywhere"]}, "children": ["skipped"]},
		"skipped": {"job": {"command": ["echo"]}},
		"slow": {"job": {"command": ["sleep", "3600"], "timeLimitSeconds": 0.1}},
		"group": {"parents": ["other"]},
		"other": {"job": {"command": ["printf", "<\\377>"]}}
	}}`, "-report", "json", "-parallel", "4")
	require.Equal(t, exitNotCompleted, o.code)
	r := report(t, o.stdout)
	require.Equal(t, "failed", r.State)
	require.NotEmpty(t, r.Run)

	task := r.Tasks["exit"]
	require.Equal(t, "failed", task.State)
	require.Equal(t, 3, *task.ExitCode)
	require.Equal(t, "out\n", task.Stdout)
	require.Equal(t, "err\n", task.Stderr)
	require.Equal(t, "failure (exit 3)", task.Reason)

	task = r.Tasks["missing"]
	require.Equal(t, "failed", task.State)
	require.Nil(t, task.ExitCode)
	require.Contains(t, task.Reason, "no-such-command-anywhere")
	require.Contains(t, task.Reason, "PATH="+os.Getenv("PATH"))

	task = r.Tasks["skipped"]
	require.Equal(t, "skipped", task.State)
	require.Zero(t, task.Attempts)
	require.Nil(t, task.ExitCode)
	require.True(t, task.Start.IsZero())

	task = r.Tasks["slow"]
	require.Equal(t, "failed", task.State)
	require.Equal(t, -1, *task.ExitCode)
	require.Equal(t, "failure (time limit)", task.Reason)

	require.Equal(t, "completed", r.Tasks["group"].State)
	require.Nil(t, r.Tasks["group"].ExitCode)
	require.Equal(t, "<\uFFFD>", r.Tasks["other"].Stdout)
}

// Output is bounded, and what is missing is counted (E6).
func TestLongOutput(t *testing.T) {
	t.Parallel()
	o := play(t, `{"tasks": {
		"long": {"job": {"command": ["head", "-c", "1048600", "/dev/zero"]}}
	}}`, "-report", "json")
	require.Equal(t, exitCompleted, o.code, o.stderr)
	task := report(t, o.stdout).Tasks["long"]
	require.Len(t, task.Stdout, 1<<20)
	require.EqualValues(t, 1_048_600-1<<20, task.Dropped)
}

// Output is printed in pieces, and no character is cut in two.
func TestUnicodeOutput(t *testing.T) {
	t.Parallel()
	o := play(t, `{"tasks": {
		"letters": {"job": {"command": ["sh", "-c", "yes 'aé€😀' | head -c 110000"]}}
	}}`, "-report", "json")
	require.Equal(t, exitCompleted, o.code, o.stderr)
	want := strings.Repeat("aé€😀\n", 10_000)
	require.Equal(t, want, report(t, o.stdout).Tasks["letters"].Stdout)
}

// What commands print cannot take over the terminal.
func TestControlCharacters(t *testing.T) {
	t.Parallel()
	o := play(t, `{"tasks": {
		"red": {"job": {"command": ["sh", "-c", "printf '\\033[31mred\\a' >&2; exit 1"]}}
	}}`)
	require.Equal(t, exitNotCompleted, o.code)
	require.Contains(t, o.stderr, "[31mred")
	require.NotContains(t, o.stdout+o.stderr, "\x1b")
	require.NotContains(t, o.stdout+o.stderr, "\a")
}

func TestParallelBoundsWhatRunsAtOnce(t *testing.T) {
	t.Parallel()
	o := play(t, `{"parameters": {"N": ["1", "2", "3", "4", "5"]}, "tasks": {
		"step": {"job": {"command": ["sleep", "0.0{{N}}"]}}
	}}`, "-report", "json", "-parallel", "1")
	require.Equal(t, exitCompleted, o.code, o.stderr)
	r := report(t, o.stdout)
	tasks := slices.Collect(maps.Values(r.Tasks))
	require.Len(t, tasks, 5)
	slices.SortFunc(tasks, func(a, b taskReport) int { return a.Start.Compare(b.Start) })
	for i := range tasks[1:] {
		require.False(t, tasks[i+1].Start.Before(tasks[i].End), "two at once")
	}
}

func TestFailFast(t *testing.T) {
	t.Parallel()
	const definition = `{"tasks": {
		"bad": {"job": {"command": ["false"]}},
		"other": {"job": {"command": ["true"]}}
	}}`
	for flag, other := range map[string]string{"": "completed", "-fail-fast": "skipped"} {
		flags := []string{"-report", "json", "-parallel", "1"}
		if flag != "" {
			flags = append(flags, flag)
		}
		o := play(t, definition, flags...)
		require.Equal(t, exitNotCompleted, o.code)
		r := report(t, o.stdout)
		require.Equal(t, "failed", r.Tasks["bad"].State)
		require.Contains(t, []string{other, "killed"}, r.Tasks["other"].State, flag)
	}
}

// The simulation runs nothing, but refuses what would be refused.
func TestSimulation(t *testing.T) {
	t.Parallel()
	const definition = `{"tasks": {
		"list": {"isGenerator": true, "job": {"command": ["no-such-command"]}},
		"next": {"job": {"command": ["no-such-command"], "cores": %s}, "parents": ["list"]}
	}}`
	o := play(t, fmt.Sprintf(definition, "3"), "-executor", "sim", "-parallel", "3")
	require.Equal(t, exitCompleted, o.code, o.stderr)
	o = play(t, fmt.Sprintf(definition, "4"), "-executor", "sim", "-parallel", "3")
	require.Equal(t, exitBad, o.code)
	require.Contains(t, o.stderr, "the largest node has 3")
}

func TestGraph(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ language, first, edge string }{
		{"mermaid", "flowchart TB\n", "t7 --> t8"},
		{"dot", "digraph {\n", "t7 -> t8"},
	} {
		t.Run(tc.language, func(t *testing.T) {
			t.Parallel()
			o := playFile(t, nil, "-graph", tc.language, "testdata/reference.json")
			require.Equal(t, exitCompleted, o.code)
			require.Empty(t, o.stderr)
			require.Equal(t, tc.first, o.stdout[:len(tc.first)])
			require.Contains(t, o.stdout, tc.edge)
			require.Contains(t, o.stdout, "Derive_Data_ABC")
		})
	}
}

// The example in the README: a fresh clone, one command.
func TestGoRun(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "run", ".", "-report", "json",
		"testdata/reference.json")
	stdout, err := cmd.Output()
	require.NoError(t, err)
	r := report(t, string(stdout))
	require.Equal(t, "completed", r.State)
	require.Len(t, r.Tasks, 9)
}

func fields(text string) [][]string {
	var all [][]string
	for line := range strings.Lines(text) {
		all = append(all, strings.Fields(line))
	}
	return all
}
