package dag_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
)

func TestValidateGood(t *testing.T) {
	t.Parallel()
	require.NoError(t, new(dag.DAG).Validate())
	d := definition(1000)
	d.Pool, d.PoolOptions = "big", map[string]any{"partition": "long", "n": 3, "l": []string{"x"}}
	d.Tasks[7].Pool = "big"
	d.Tasks[8].Job.Options = map[string]any{"x": json.Number("1"), "y": nil, "z": []any{1.5}}
	d.Tasks[9].Job.Environment = []string{"A=", "B=x=y", "C=ü\n"}
	require.NoError(t, d.Validate())
	g, err := d.ValidGraph()
	require.NoError(t, err)
	require.Equal(t, 1000, g.Len())
	d.Tasks[0].MaxRetries = -1
	_, err = d.ValidGraph()
	require.ErrorIs(t, err, dag.ErrInvalid)
}

// Problems that only a definition in Go can have.
func TestValidateGo(t *testing.T) {
	t.Parallel()
	d := &dag.DAG{
		Tags:       map[string]string{"\xff": ""},
		Parameters: dag.Parameters{"P": dag.List("good", "\xff")},
		Tasks: []dag.Task{
			{Name: "a\xff", Pool: "\xff"},
			{Name: "b", Job: dag.Job{WorkDir: "\xff", Environment: []string{"\xff=1"}}},
			{Name: "b"},
			{Name: "c", Job: dag.Job{Options: map[string]any{"f": func() {}, "workDir": "/"}}},
		},
	}
	err := d.Validate()
	require.Equal(t, []string{
		"tags: the text is not valid UTF-8; JSON and so the log cannot hold it",
		"parameters.P[1]: the text is not valid UTF-8; JSON and so the log cannot hold it",
		`task "a\xff": name: the name is not valid UTF-8; it is task 1 of the definition`,
		`task "a\xff": pool: the text is not valid UTF-8; JSON and so the log cannot hold it`,
		`task "b": job.environment[0]: the text is not valid UTF-8; ` +
			"JSON and so the log cannot hold it",
		`task "b": job.workDir: the text is not valid UTF-8; JSON and so the log cannot hold it`,
		`task "c": job.workDir: an option cannot have the name of a member of the job; ` +
			"set the field of the job instead",
		`task "c": job.f: the option cannot be written as JSON: json: unsupported type: func()`,
		`task "b": name: tasks 2 and 3 of the definition have this name; ` +
			"names are identity: rename one of them",
	}, messages(err))
	require.ErrorIs(t, err, dag.ErrInvalid)
}

// Problems of a large definition, which several goroutines look at, come in
// order, and so do cycles, each of them once.
func TestValidateOrder(t *testing.T) {
	t.Parallel()
	d := &dag.DAG{Tasks: wide(50_000)}
	for i := range d.Tasks {
		if i%1000 == 0 {
			d.Tasks[i].MaxRetries = -1
		}
		if i%2000 == 1 {
			d.Tasks[i].Parents = []string{taskName(i + 1)}
			d.Tasks[i+1].Parents = []string{taskName(i)}
		}
	}
	all := messages(d.Validate())
	require.Len(t, all, 50+25)
	for i, text := range all[:50] {
		require.Equal(t, `task "`+taskName(i*1000)+`": maxRetries: -1 is less than nothing; `+
			"0 is none", text)
	}
	for i, text := range all[50:] {
		a, b := taskName(i*2000+1), taskName(i*2000+2)
		require.Equal(t, "cycle: "+a+" → "+b+" → "+a+"; remove one of these dependencies", text)
	}
	for i := range d.Tasks {
		d.Tasks[i].Parents = []string{taskName(i ^ 1)}
	}
	all = messages(d.Validate())
	require.Len(t, all, 101)
	require.Equal(t, "and 24950 more problems", all[100])
}

func TestCycleError(t *testing.T) {
	t.Parallel()
	_, err := dag.NewGraph([]dag.Task{
		{Name: "with space", Parents: []string{"ü\"→"}},
		{Name: "ü\"→", Parents: []string{"with space"}},
	})
	cycle, ok := errors.AsType[*dag.CycleError](err)
	require.True(t, ok)
	require.Equal(t, []string{"with space", "ü\"→", "with space"}, cycle.Path)
	require.ErrorIs(t, cycle, dag.ErrInvalid)
	require.Equal(t, `invalid definition: cycle: with space → "ü\"→" → with space; `+
		"remove one of these dependencies", err.Error())
}

func TestWith(t *testing.T) {
	t.Parallel()
	d := &dag.DAG{Parameters: dag.Parameters{"DATE": dag.Scalar("x"), "N": dag.Scalar("1")}}
	c := d.With(dag.Parameters{"DATE": dag.List("a", "b")})
	require.NoError(t, c.Validate())
	require.Equal(t, dag.Parameters{"DATE": dag.List("a", "b"), "N": dag.Scalar("1")}, c.Parameters)
	require.Equal(t, dag.Scalar("x"), d.Parameters["DATE"])

	c = c.With(dag.Parameters{"DAT": dag.Scalar("y"), "M": dag.Scalar("z")}).With(nil)
	require.Equal(t, []string{
		`parameters.DAT: a value was given, but there is no such parameter; did you mean "DATE"?`,
		"parameters.M: a value was given, but there is no such parameter",
	}, messages(c.Validate()))
	require.NoError(t, d.Validate())
	require.ErrorIs(t, new(dag.DAG).With(dag.Parameters{"X": dag.Scalar("")}).Validate(),
		dag.ErrInvalid)
}

func TestClone(t *testing.T) {
	t.Parallel()
	setup := func() *dag.DAG {
		d, err := dag.Parse([]byte(`{"tags": {"a": "b"}, "parameters": {"P": ["x"]},
			"jobDefaults": {"environment": ["A=b"], "cores": 1, "o": {"p": [1, {"q": 2}]}},
			"executionParameters": {"poolParameters": {"x": "y"}},
			"tasks": {"a": {"command": ["x"], "children": ["b"], "parameters": {"Q": "z"}},
			"b": {"parents": ["a"]}}}`))
		require.NoError(t, err)
		return d
	}
	d := setup()
	c := d.Clone()
	require.Equal(t, d, c)
	c.Tags["a"] = "changed"
	c.Parameters["P"] = dag.Scalar("changed")
	c.JobDefaults.Environment[0] = "CHANGED=1"
	c.JobDefaults.Resources[dag.Cores] = 9
	c.JobDefaults.Options["o"].(map[string]any)["p"].([]any)[1].(map[string]any)["q"] = 9
	c.PoolOptions["x"] = "changed"
	c.Tasks[0].Job.Command[0] = "changed"
	c.Tasks[0].Children[0] = "changed"
	c.Tasks[0].Parameters["Q"] = dag.Scalar("changed")
	c.Tasks[1].Parents[0] = "changed"
	c.Tasks[1].Name = "changed"
	require.Equal(t, setup(), d)
	require.Equal(t, new(dag.DAG), new(dag.DAG).Clone())
}

// What was read can be altered in one place without a trace in another.
func TestParseOwnsItsLists(t *testing.T) {
	t.Parallel()
	d, err := dag.Parse([]byte(`{"tasks": {"a": {"parents": ["x", "y"], "children": ["z"]}}}`))
	require.NoError(t, err)
	d.Tasks[0].Parents = append(d.Tasks[0].Parents, "more")
	require.Equal(t, []string{"z"}, d.Tasks[0].Children)
}

// D6.
func TestWithDefaults(t *testing.T) {
	t.Parallel()
	def := dag.Job{
		Command: []string{"default"}, Environment: []string{"A=1", "B=1"}, WorkDir: "/d",
		TimeLimit: 5, Resources: dag.Resources{"cores": 1, "x": 1},
		Options: map[string]any{"a": 1, "b": 1},
	}
	for name, tc := range map[string]struct{ job, want dag.Job }{
		"all of them": {dag.Job{}, def},
		"merged by key": {
			dag.Job{
				Environment: []string{"B=2", "C=2"}, Resources: dag.Resources{"x": 2},
				Options: map[string]any{"b": 2, "c": 2}, TimeLimit: 7,
			},
			dag.Job{
				Command: []string{"default"}, Environment: []string{"A=1", "B=2", "C=2"},
				WorkDir: "/d", TimeLimit: 7, Resources: dag.Resources{"cores": 1, "x": 2},
				Options: map[string]any{"a": 1, "b": 2, "c": 2},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, tc.job.WithDefaults(def))
		})
	}
	require.Equal(t, "own", dag.Job{CommandString: "own"}.WithDefaults(def).CommandString)
	require.Nil(t, dag.Job{CommandString: "own"}.WithDefaults(def).Command,
		"command and commandString are one member")
	require.Equal(t, []string{}, dag.Job{Command: []string{}}.WithDefaults(def).Command,
		"D9: an explicit empty command keeps the default away")
}

func TestOrderStopsEarly(t *testing.T) {
	t.Parallel()
	for _, tasks := range [][]dag.Task{wide(5000), reversed(5000)} {
		g, err := dag.NewGraph(tasks)
		require.NoError(t, err)
		next := 0
		for range g.Order() {
			if next++; next == 3 {
				break
			}
		}
		require.Equal(t, 3, next)
		for range g.Descendants(4999) {
			break
		}
	}
	g, err := dag.NewGraph(reversed(5000))
	require.NoError(t, err)
	all := slices.Collect(g.Order())
	slices.Reverse(all)
	require.True(t, slices.IsSorted(all))
	require.Len(t, slices.Collect(g.Ancestors(0)), 4999)
	require.Equal(t, []int{4, 5, 6}, slices.Collect(g.Ancestors(3))[:3])
}

func TestLocate(t *testing.T) {
	t.Parallel()
	text := []byte("{\"tasks\": {\n\"a\": {\"parents\": [\"b\"]},\n\"c\": {}}}")
	d, err := dag.Parse(text)
	require.NoError(t, err)
	problem, ok := errors.AsType[*dag.Problem](dag.Locate(text, d.Validate()))
	require.True(t, ok)
	require.Equal(t, [2]int{2, 19}, [2]int{problem.Line, problem.Column})

	// The output of a generator has no wrapper.
	text = []byte("{\n\"x\": {\"job\": {\"cores\": 1},\n\"children\": [\"a\", \"nowhere\"]}}")
	tasks, err := dag.ParseTasks(text)
	require.NoError(t, err)
	err = pipeline().Splice("pull_files", tasks)
	require.Equal(t, []string{
		`line 3, column 14: task "x": children[0]: no task is named "a"`,
		`line 3, column 19: task "x": children[1]: no task is named "nowhere"`,
	}, messages(dag.Locate(text, err)))
	require.Equal(t, [2]int{3, 14}, [2]int{problemOf(t, err).Line, problemOf(t, err).Column},
		"what has a place keeps it")
	require.Error(t, dag.Locate([]byte("\n\n\n\n"+string(text)), err))
	require.Equal(t, 3, problemOf(t, err).Line)

	other := errors.New("another")
	require.Equal(t, other, dag.Locate(text, other))
	require.NoError(t, dag.Locate(text, nil))
	// Text that does not fit leaves the problem without a place.
	lone := &dag.Problem{Task: "q", Field: "job.x[3]"}
	require.Equal(t, error(lone), dag.Locate([]byte("{\"tasks\": [["), lone))
	require.Zero(t, lone.Line)
}

func problemOf(t *testing.T, err error) *dag.Problem {
	t.Helper()
	problem, ok := errors.AsType[*dag.Problem](err)
	require.True(t, ok)
	return problem
}

func TestDraw(t *testing.T) {
	t.Parallel()
	d := &dag.DAG{Tasks: []dag.Task{
		{Name: `say "hi" <b>#1</b>; \N & ` + "`x`", Children: []string{"b"}},
		{Name: "b", Generator: true},
		{Name: "end", Parents: []string{"b"}},
	}}
	states := map[string]string{"b": "failed", "end": "skipped", `"`: "completed"}
	o := dag.Drawing{State: func(task string) string { return states[task] }, LeftToRight: true}
	var out bytes.Buffer
	require.NoError(t, d.Mermaid(&out, o))
	require.Equal(t, `flowchart LR
    t0["say #quot;hi#quot; #lt;b#gt;#35;1#lt;/b#gt;#59; #92;N #amp; #96;x#96;"]
    t1[["b"]]:::failed
    t2["end"]:::skipped
    t0 --> t1
    t1 --> t2
    classDef failed fill:#fee2e2,stroke:#dc2626,color:#18181b
    classDef skipped fill:#e5e5e5,stroke:#737373,color:#18181b
`, out.String())

	out.Reset()
	require.NoError(t, d.DOT(&out, o))
	require.Equal(t, `digraph {
    rankdir=LR
    node [shape=box style=filled fillcolor="#ffffff" fontname="sans-serif"]
    t0 [label="say \"hi\" <b>#1</b>; \\N &amp; `+"`x`"+`"]
    t1 [label="b" peripheries=2 fillcolor="#fee2e2" color="#dc2626"]
    t2 [label="end" fillcolor="#e5e5e5" color="#737373"]
    t0 -> t1
    t1 -> t2
}
`, out.String())

	out.Reset()
	require.NoError(t, new(dag.DAG).Mermaid(&out, dag.Drawing{}))
	require.Equal(t, "flowchart TB\n", out.String())
	require.ErrorIs(t, new(dag.DAG).DOT(failingWriter{}, dag.Drawing{}), errDisk)
	large := &dag.DAG{Tasks: reversed(1000)}
	require.ErrorIs(t, large.Mermaid(failingWriter{}, dag.Drawing{}), errDisk)

	d.Tasks[1].Children = []string{"nowhere"}
	out.Reset()
	require.ErrorIs(t, d.DOT(&out, o), dag.ErrInvalid)
	require.ErrorIs(t, d.Mermaid(&out, o), dag.ErrInvalid)
	require.Empty(t, out.String())
}

var errDisk = errors.New("disk full")

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errDisk }

func TestErrorText(t *testing.T) {
	t.Parallel()
	long := &dag.Problem{
		Line: 3, Column: 7, Task: strings.Repeat("é", 1000), Field: "job",
		Text: "bad", Hint: "good",
	}
	require.Equal(t, `line 3, column 7: task "`+strings.Repeat("é", 40)+`…": job: bad; good`,
		long.Error())
	_, err := dag.NewGraph([]dag.Task{{}, {}})
	require.Equal(t, "invalid definition:\n"+
		"  name: a task needs a name; it is task 1 of the definition\n"+
		"  name: a task needs a name; it is task 2 of the definition", err.Error())
}
