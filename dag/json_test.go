package dag_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
)

func TestParse(t *testing.T) {
	t.Parallel()
	d, err := dag.Parse([]byte(`{
		"tags": {"team": "finance", "year": 2021},
		"parameters": {"DATE": ["2021-01-01", 2], "SOURCE": "/\u00e9\ud83d\ude00", "N": 1.50},
		"jobDefaults": {"environment": ["A=b"], "cores": "1"},
		"executionParameters": {
			"pool": "big", "poolParameters": {"x": [1, 2.50, null, {"y": "z"}]}
		},
		"tasks": {
			"pull": {"command": ["pull", 3], "maxRetries": "3", "retry": 0.25, "children": ["z"]},
			"z": {"job": {
				"commandString": "calc 'a b'", "environment": {"X": "y", "B": 1},
				"timeLimitSeconds": "90.5", "memoryMB": 100, "resources": {"gpus": 1, "tape": 2.0},
				"workDir": "/w", "minCPUs": "1", "nice": 5, "deep": {"a": true}
			}, "parents": ["pull"], "notBefore": "2026-01-31T06:30:00+02:00", "name": "z"},
			"a": {"job": {"command": []}, "isGenerator": true, "pool": "p", "priority": -1,
				"parameters": {"DATE": "x"}, "retryIntervalSeconds": 1e1}
		}
	}`))
	require.NoError(t, err)
	require.Equal(t, &dag.DAG{
		Tags: map[string]string{"team": "finance", "year": "2021"},
		Parameters: dag.Parameters{
			"DATE":   dag.List("2021-01-01", "2"),
			"SOURCE": dag.Scalar("/é😀"),
			"N":      dag.Scalar("1.50"),
		},
		JobDefaults: dag.Job{Environment: []string{"A=b"}, Resources: dag.Resources{dag.Cores: 1}},
		Pool:        "big",
		PoolOptions: map[string]any{"x": []any{
			json.Number("1"), json.Number("2.50"), nil, map[string]any{"y": "z"},
		}},
		Tasks: []dag.Task{
			{
				Name: "pull", Job: dag.Command("pull", "3"), Children: []string{"z"},
				MaxRetries: 3, RetryInterval: 250 * time.Millisecond,
			},
			{
				Name: "z", Parents: []string{"pull"},
				NotBefore: time.Date(2026, 1, 31, 4, 30, 0, 0, time.UTC),
				Job: dag.Job{
					CommandString: "calc 'a b'", Environment: []string{"X=y", "B=1"},
					TimeLimit: 90*time.Second + 500*time.Millisecond, WorkDir: "/w",
					Resources: dag.Resources{dag.MemoryMB: 100, dag.GPUs: 1, "tape": 2},
					Options: map[string]any{
						"minCPUs": "1", "nice": json.Number("5"), "deep": map[string]any{"a": true},
					},
				},
			},
			{
				Name: "a", Job: dag.Job{Command: []string{}}, Generator: true,
				Pool: "p", Priority: -1, RetryInterval: 10 * time.Second,
				Parameters: dag.Parameters{"DATE": dag.Scalar("x")},
			},
		},
	}, d)
	requireRoundTrip(t, d)
}

// requireRoundTrip checks D10: what is parsed can be printed and parsed again.
func requireRoundTrip(t *testing.T, d *dag.DAG) {
	t.Helper()
	direct, err := d.MarshalJSON()
	require.NoError(t, err)
	again, err := dag.Parse(direct)
	require.NoError(t, err, "%s", direct)
	require.Equal(t, d, again)
	// The value, not the pointer: nothing falls back to the fields.
	byPackage, err := json.Marshal(*d)
	require.NoError(t, err)
	var decoded dag.DAG
	require.NoError(t, json.Unmarshal(byPackage, &decoded))
	require.Equal(t, *d, decoded)
}

func TestParseLeftOut(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing": `{"tasks": {"a": {}}}`,
		"nulls": `{"tags": null, "parameters": null, "jobDefaults": null,
			"executionParameters": null, "tasks": {"a": {"job": null, "parents": null,
			"children": null, "parameters": null, "isGenerator": null, "maxRetries": null,
			"retryIntervalSeconds": null, "notBefore": null, "pool": null, "priority": null}}}`,
		"nulls in job": `{"tasks": {"a": {"job": {"command": null, "commandString": null,
			"environment": null, "workDir": null, "timeLimitSeconds": null, "cores": null,
			"resources": null}}}}`,
		"empty": `{"tags": {}, "parameters": {}, "jobDefaults": {}, "executionParameters": {},
			"tasks": {"a": {"job": {"environment": [], "resources": {}},
			"parents": [], "children": []}}}`,
		"byte order mark": "\xef\xbb\xbf" + ` { "tasks" : { "a" : { } } } `,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := dag.Parse([]byte(text))
			require.NoError(t, err)
			require.Equal(t, &dag.DAG{Tasks: []dag.Task{{Name: "a"}}}, d)
		})
	}
}

// What is not text goes into no script.
func TestParseBytes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{
			"invalid UTF-8", "{\"tasks\": {\"a\xff\": {}}}",
			"line 1, column 14: the text is not valid UTF-8",
		},
		{
			"control character", "{\"tasks\": {\"a\tb\": {}}}",
			"line 1, column 14: a string cannot hold the control character U+0009; " +
				`write it as an escape, such as \n`,
		},
		{
			"control character after an escape", "{\"tasks\": {\"\\n\x00\": {}}}",
			"line 1, column 15: a string cannot hold the control character U+0000; " +
				`write it as an escape, such as \n`,
		},
		{"NUL", "\x00", `line 1, column 1: expected a value, found '\x00'`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := dag.Parse([]byte(tc.text))
			require.Equal(t, []string{tc.want}, messages(err))
		})
	}
}

// A problem is a fact with fields, not only a text.
func TestProblemFields(t *testing.T) {
	t.Parallel()
	_, err := dag.Parse([]byte("{\"tasks\": {\n\"a\": {\"job\": {\"command\": [\"x\", {}]}}}}"))
	problem, ok := errors.AsType[*dag.Problem](err)
	require.True(t, ok)
	require.Equal(t, &dag.Problem{
		Line: 2, Column: 32, Task: "a", Field: "job.command[1]",
		Text: "this must be a string, not an object",
	}, problem)
	require.ErrorIs(t, problem, dag.ErrInvalid)
}

// Many problems are counted and the first hundred kept.
func TestParseManyProblems(t *testing.T) {
	t.Parallel()
	text := `{"tasks": {"a": {}` + strings.Repeat(",\n\"a\": {\"x\": 1}", 1000) + "}}"
	_, err := dag.Parse([]byte(text))
	all := messages(err)
	require.Len(t, all, 101)
	require.Equal(t, "and 1900 more problems", all[100])
}

// D11: everything that is read has a limit.
func TestParseLimits(t *testing.T) {
	t.Parallel()
	nested := func(levels int) []byte {
		return []byte(`{"tasks": {"a": {"job": {"x": ` + strings.Repeat("[", levels-4) +
			strings.Repeat("]", levels-4) + "}}}}")
	}
	two := []byte(`{"a": {}, "b": {}}`)
	definition := []byte(`{"tasks": ` + string(two) + `}`)
	for _, tc := range []struct {
		name   string
		limits dag.Limits
		text   []byte
		want   []string
	}{
		{"depth at its default", dag.Limits{}, nested(64), nil},
		{"depth", dag.Limits{}, nested(65), []string{
			`line 1, column 91: task "a": more than 64 levels of nesting`,
		}},
		{"depth chosen", dag.Limits{Depth: 5}, nested(6), []string{
			`line 1, column 32: task "a": more than 5 levels of nesting`,
		}},
		{"depth without a limit", dag.Limits{Depth: -1}, nested(10_000), nil},
		{"depth beyond all limits", dag.Limits{Depth: -1}, nested(1_000_000), []string{
			`line 1, column 10027: task "a": more than 10000 levels of nesting`,
		}},
		{"depth of what is skipped", dag.Limits{}, []byte(strings.Repeat(`{"":`, 100)), []string{
			`line 1, column 2: unknown member ""; there are tags, parameters, jobDefaults, ` +
				"executionParameters, tasks",
			"line 1, column 257: more than 64 levels of nesting",
		}},
		{"tasks", dag.Limits{Tasks: 1}, definition, []string{
			`line 1, column 21: task "a": more than 1 tasks`,
		}},
		{"tasks that are just enough", dag.Limits{Tasks: 2}, definition, nil},
		{"size", dag.Limits{Definition: 10}, definition, []string{
			"line 1, column 1: the definition has 29 bytes, the limit is 10",
		}},
		{"size without a limit", dag.Limits{Definition: -1, Tasks: -1}, definition, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := tc.limits.Parse(tc.text)
			require.Equal(t, tc.want, messages(err))
		})
	}
	_, err := dag.Limits{GeneratorOutput: 17}.ParseTasks(two)
	require.Equal(t, []string{
		"line 1, column 1: the output of the generator has 18 bytes, the limit is 17",
	}, messages(err))
	_, err = dag.Limits{Tasks: 1}.ParseTasks(two)
	require.Equal(t, []string{`line 1, column 11: task "a": more than 1 tasks`}, messages(err))
}

// D7: a generator prints tasks by name, without a wrapper.
func TestParseTasks(t *testing.T) {
	t.Parallel()
	tasks := []dag.Task{
		{Name: "z", Job: dag.Command("x"), Children: []string{"report"}},
		{Name: "a", Parents: []string{"z"}},
	}
	text, err := dag.FormatTasks(tasks)
	require.NoError(t, err)
	require.JSONEq(t,
		`{"z": {"job": {"command": ["x"]}, "children": ["report"]}, "a": {"parents": ["z"]}}`,
		string(text))
	require.True(t, strings.HasSuffix(string(text), "}\n"))
	again, err := dag.ParseTasks(text)
	require.NoError(t, err)
	require.Equal(t, tasks, again)

	none, err := dag.ParseTasks([]byte("{}"))
	require.NoError(t, err)
	require.Empty(t, none)

	for name, tc := range map[string]struct{ text, want string }{
		"wrapped": {
			`{"tasks": {"a": {}}}`,
			`line 1, column 12: task "tasks": unknown member "a"; ` +
				`a generator prints its tasks by name, without {"tasks": …} around them`,
		},
		"a log line first": {
			"starting\n{}",
			"line 1, column 1: expected a value, found 's'",
		},
		"a log line last": {
			"{}\ndone", "line 2, column 1: expected the end of the text, found 'd'",
		},
		"nothing":  {"", "line 1, column 1: expected a value, found the end of the text"},
		"a list":   {"[]", "line 1, column 1: expected an object, found a list"},
		"a string": {`"x"`, "line 1, column 1: expected an object, found a string"},
		"a list of strings": {`{"a": []}`, `line 1, column 7: task "a": this must be an object, ` +
			"not a list"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := dag.ParseTasks([]byte(tc.text))
			require.Equal(t, []string{tc.want}, messages(err))
		})
	}
}

// requireText compares byte by byte, as the order of members is promised.
func requireText(t *testing.T, want string, got []byte) {
	t.Helper()
	require.Equal(t, want, string(got))
}

func TestMarshal(t *testing.T) {
	t.Parallel()
	d := &dag.DAG{
		Parameters: dag.Parameters{"EMPTY": dag.List(), "B": dag.List("x"), "A": dag.Scalar("")},
		Tasks: []dag.Task{
			{Name: "b\"\\\n\x01é<&>", Job: dag.Job{Command: []string{"\x7f", ""}}},
			{Name: "a", Job: dag.Job{
				TimeLimit: math.MaxInt64,
				Resources: dag.Resources{"x": 1, dag.GPUs: 2, dag.Cores: 0},
				Options:   map[string]any{"b": 1, "a": []string{"x"}, "c": 1.5},
			}, RetryInterval: math.MinInt64},
		},
	}
	text, err := d.MarshalJSON()
	require.NoError(t, err)
	requireText(t, `{"parameters":{"A":"","B":["x"],"EMPTY":[]},"tasks":{`+
		`"b\"\\\n\u0001é<&>":{"job":{"command":["`+"\x7f"+`",""]}},`+
		`"a":{"job":{"timeLimitSeconds":9223372036.854775807,"cores":0,"gpus":2,`+
		`"resources":{"x":1},"a":["x"],"b":1,"c":1.5},`+
		`"retryIntervalSeconds":-9223372036.854775808}}}`, text)
	again, err := dag.Parse(text)
	require.NoError(t, err)
	requireRoundTrip(t, again)
	require.Equal(t, d.Tasks[1].Job.TimeLimit, again.Tasks[1].Job.TimeLimit)
	require.Equal(t, d.Parameters, again.Parameters)

	zero, err := dag.DAG{}.MarshalJSON()
	require.NoError(t, err)
	requireText(t, `{"tasks":{}}`, zero)
}

// What JSON cannot hold is an error, not another definition.
func TestMarshalProblems(t *testing.T) {
	t.Parallel()
	endless := map[string]any{}
	endless["again"] = []any{endless}
	for name, tc := range map[string]struct {
		task dag.Task
		want string
	}{
		"UTF-8": {
			dag.Task{Job: dag.Command("\xff")},
			`task "b": job.command: the text is not valid UTF-8, which JSON cannot hold`,
		},
		"option of a bad type": {
			dag.Task{Job: dag.Job{Options: map[string]any{"f": func() {}}}},
			`task "b": job.f: the option cannot be written as JSON: json: unsupported type: func()`,
		},
		"option in a circle": {
			dag.Task{Job: dag.Job{Options: endless}},
			"more than 10000 levels",
		},
		"option with the name of a member": {
			dag.Task{Job: dag.Job{Options: map[string]any{"cores": 1}}},
			`task "b": job.cores: an option cannot have the name of a member of the job`,
		},
		"year": {
			dag.Task{NotBefore: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)},
			`task "b": notBefore: RFC 3339 has no year 10000`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.task.Name = "b"
			d := dag.DAG{Tasks: []dag.Task{{Name: "a"}, tc.task}}
			_, err := d.MarshalJSON()
			require.ErrorIs(t, err, dag.ErrInvalid)
			require.ErrorContains(t, err, tc.want)
			// Validate finds it first.
			require.ErrorIs(t, d.Validate(), dag.ErrInvalid)
		})
	}
	_, err := dag.FormatTasks([]dag.Task{{Name: "a"}, {Name: "a"}})
	require.Equal(t, []string{`task "a": name: tasks 1 and 2 of the definition have this name; ` +
		"names are identity: rename one of them"}, messages(err))
}

func TestPartsAlone(t *testing.T) {
	t.Parallel()
	task := dag.Task{Name: "a", Job: dag.Job{CommandString: "x"}, Parents: []string{"b"}}
	text, err := json.Marshal([]dag.Task{task})
	require.NoError(t, err)
	requireText(t, `[{"name":"a","job":{"commandString":"x"},"parents":["b"]}]`, text)
	var tasks []dag.Task
	require.NoError(t, json.Unmarshal(text, &tasks))
	require.Equal(t, []dag.Task{task}, tasks)

	text, err = json.Marshal(task.Job)
	require.NoError(t, err)
	var job dag.Job
	require.NoError(t, json.Unmarshal(text, &job))
	require.Equal(t, task.Job, job)
	require.ErrorIs(t, json.Unmarshal([]byte(`{"Command": []}`), &job), dag.ErrInvalid)
	require.Equal(t, task.Job, job, "it is left alone on error")

	parameters := dag.Parameters{"A": dag.Scalar("x"), "B": dag.List("y", "z")}
	text, err = json.Marshal(parameters)
	require.NoError(t, err)
	requireText(t, `{"A":"x","B":["y","z"]}`, text)
	var again dag.Parameters
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, parameters, again)
	require.ErrorIs(t, json.Unmarshal([]byte(`{"A": true}`), &again), dag.ErrInvalid)

	var d dag.DAG
	require.NoError(t, json.Unmarshal([]byte("null"), &d))
}

// Every duration survives, to the nanosecond.
func TestSeconds(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0": 0, "1": time.Second, "-1": -time.Second, "0.000000001": 1, "1.5e3": 1500 * time.Second,
		"0.1": 100 * time.Millisecond, "-0.5": -500 * time.Millisecond, "1E-3": time.Millisecond,
		"0.1234567894": 123456789, "9223372036.854775807": math.MaxInt64,
	} {
		var job dag.Job
		require.NoError(t, json.Unmarshal([]byte(`{"timeLimitSeconds": "`+text+`"}`), &job), text)
		require.Equal(t, want, job.TimeLimit, text)
	}
	for _, text := range []string{
		"", "-", ".", ".5", "-.5", "1.-5", "1e300", "9223372036.854775808", "NaN", "Inf", "0x1",
		"1_0", "1s", " 1", "+1", "01",
	} {
		var job dag.Job
		err := json.Unmarshal([]byte(`{"timeLimitSeconds": "`+text+`"}`), &job)
		require.ErrorIs(t, err, dag.ErrInvalid, text)
	}
}
