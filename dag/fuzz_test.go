package dag_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
)

// seeds adds all definitions of testdata/problems.txt and some good ones.
func seeds(f *testing.F) {
	f.Helper()
	script, err := os.ReadFile("testdata/problems.txt")
	require.NoError(f, err)
	for _, c := range strings.Split(string(script), "== ")[1:] {
		_, rest, _ := strings.Cut(c, "\n")
		text, _, _ := strings.Cut(rest, "\n--\n")
		f.Add([]byte(text))
	}
	f.Add([]byte(`{"tags": {"a": "b"}, "parameters": {"P": ["x", 1.5], "Q": "\u00e9"},
		"jobDefaults": {"environment": {"A": "b"}, "cores": "1"},
		"executionParameters": {"pool": "p", "poolParameters": {"x": [1, null, {"y": true}]}},
		"tasks": {"a": {"job": {"command": [], "timeLimitSeconds": 1.5, "resources": {"x": 1},
		"o": 1e400}, "retry": "1e-9", "notBefore": "2026-01-31T06:30:00.5+02:00"},
		"b": {"commandString": "a 'b'", "isGenerator": true, "priority": -1, "parents": ["a"]}}}`))
}

// FuzzParse: nothing panics; what is read is JSON, can be printed and read
// again and is the same; every problem has its place in the text.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		limits := dag.Limits{Tasks: 50, Depth: 20, Definition: 1 << 16}
		d, err := limits.Parse(text)
		if err != nil {
			requirePlaces(t, text, err)
			return
		}
		require.True(t, json.Valid(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
		require.LessOrEqual(t, len(d.Tasks), 50)
		printed, err := d.MarshalJSON()
		require.NoError(t, err)
		again, err := dag.Limits{Depth: -1}.Parse(printed)
		require.NoError(t, err, "%s", printed)
		require.Equal(t, d, again)
		require.Equal(t, d, d.Clone())
		twice, err := again.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, string(printed), string(twice))
		if err := d.Validate(); err != nil {
			require.ErrorIs(t, dag.Locate(text, err), dag.ErrInvalid)
		}
	})
}

// requirePlaces checks that problems come in order, each within the text.
func requirePlaces(t *testing.T, text []byte, err error) {
	t.Helper()
	require.ErrorIs(t, err, dag.ErrInvalid)
	require.NotEmpty(t, messages(err))
	lines := bytes.Split(text, []byte{'\n'})
	last := [2]int{1, 1}
	for _, p := range collected(err) {
		if p.Line == 0 {
			require.True(t, strings.HasPrefix(p.Text, "and "), p.Text)
			continue
		}
		require.LessOrEqual(t, p.Line, len(lines))
		require.LessOrEqual(t, p.Column, len(lines[p.Line-1])+1)
		at := [2]int{p.Line, p.Column}
		require.False(t, at[0] < last[0] || at[0] == last[0] && at[1] < last[1])
		last = at
	}
}

// FuzzParseTasks: nothing panics, the limits hold, and a splice of whatever was
// read is whole or absent.
func FuzzParseTasks(f *testing.F) {
	f.Add([]byte(`{"calc_a": {"command": ["x"], "children": ["report"]}}`))
	f.Add([]byte(`{"calc_a": {"parents": ["calc_b"]}, "calc_b": {"parents": ["calc_a"]}}`))
	f.Add([]byte(`{"report": {}}`))
	f.Add([]byte(`{"tasks": {"a": {}}}`))
	f.Add([]byte("log\n{}"))
	seeds(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		tasks, err := dag.Limits{Tasks: 50, GeneratorOutput: 1 << 14}.ParseTasks(text)
		if err != nil {
			requirePlaces(t, text, err)
			return
		}
		require.LessOrEqual(t, len(text), 1<<14)
		require.LessOrEqual(t, len(tasks), 50)
		printed, err := dag.FormatTasks(tasks)
		require.NoError(t, err)
		again, err := dag.Limits{Depth: -1}.ParseTasks(printed)
		require.NoError(t, err)
		require.Equal(t, tasks, again)

		d := pipeline()
		if err := d.Splice("pull_files", tasks); err != nil {
			require.ErrorIs(t, err, dag.ErrInvalid)
			require.Equal(t, pipeline(), d)
			return
		}
		require.Len(t, d.Tasks, 2+len(tasks))
		require.NoError(t, d.Validate())
	})
}

// FuzzGraph: a program of tasks, edges and splices gives the same graph as the
// naive model, and is refused when it says so.
func FuzzGraph(f *testing.F) {
	f.Add([]byte("\x03\x01\x02\x10\x21\xff\x02\x01\x30"))
	f.Add([]byte{8, 1, 0, 2, 1, 3, 2, 0, 3, 255, 3, 0, 5, 6, 5, 255, 1, 9, 0})
	f.Add([]byte{1, 0, 0})
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 400 {
			return
		}
		m, g := newModel(), (*dag.Graph)(nil)
		for step := 0; len(program) > 0; step++ {
			var tasks []dag.Task
			tasks, program = readStep(program, len(m.names))
			generator := ""
			if step > 0 && len(m.names) > 0 {
				generator = m.names[step%len(m.names)]
			}
			after := m.clone()
			good := after.add(tasks, generator)
			var err error
			if step == 0 {
				g, err = dag.NewGraph(tasks)
			} else {
				err = g.Splice(step%g.Len(), tasks)
			}
			require.Equal(t, good, err == nil, "%v %v", tasks, err)
			if good {
				m = after
			}
			if g == nil || g.Len() == 0 {
				return
			}
			m.requireEqual(t, g)
		}
	})
}

// readStep reads up to a 255: a number of tasks, then pairs of a task and what
// it refers to, by a number that may be one too high.
func readStep(program []byte, known int) ([]dag.Task, []byte) {
	step, rest, _ := bytes.Cut(program, []byte{255})
	if len(step) == 0 {
		return nil, rest
	}
	n := int(step[0] % 16)
	tasks := make([]dag.Task, n)
	for i := range tasks {
		tasks[i].Name = fmt.Sprintf("t%d", known+i)
	}
	for i := 1; i+1 < len(step) && n > 0; i += 2 {
		t := &tasks[int(step[i])%n]
		other := fmt.Sprintf("t%d", int(step[i+1])%(known+n+1))
		switch step[i] / 64 {
		case 0:
			t.Children = append(t.Children, other)
		case 3:
			t.Name = other
		default:
			t.Parents = append(t.Parents, other)
		}
	}
	return tasks, rest
}
