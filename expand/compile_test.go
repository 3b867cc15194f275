package expand_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/expand"
)

// The expansion of the documentation of the original: rows D12 to D17.
func TestThreeDates(t *testing.T) {
	t.Parallel()
	template := compile(t,
		dag.Task{Name: "calc_date", Job: dag.Command("calc", "data/{{SOURCE}}", "{{DATE}}")},
		dag.Parameters{
			"DATE":   dag.List("2021-01-01", "2021-02-01", "2021-03-01"),
			"SOURCE": dag.Scalar("name"),
		})
	require.True(t, template.Multiplied())
	require.Equal(t, []string{"calc_date_1", "calc_date_2", "calc_date_3"}, names(template))
	require.Equal(t, [][]string{
		{"calc", "data/name", "2021-01-01"},
		{"calc", "data/name", "2021-02-01"},
		{"calc", "data/name", "2021-03-01"},
	}, commands(template))
}

// D4: parameters sorted by name, the last one varies fastest.
func TestTwoLists(t *testing.T) {
	t.Parallel()
	template := compile(t,
		dag.Task{Name: "calc_date", Job: dag.Command("calc", "{{SOURCE}}", "--date={{DATE}}")},
		dag.Parameters{
			"SOURCE": dag.List("a", "b", "c"),
			"DATE":   dag.List("2021-01-01", "2021-02-01"),
		})
	require.Equal(t, 6, template.Len())
	require.Equal(t, "calc_date_6", template.Name(5))
	require.Equal(t, [][]string{
		{"calc", "a", "--date=2021-01-01"},
		{"calc", "b", "--date=2021-01-01"},
		{"calc", "c", "--date=2021-01-01"},
		{"calc", "a", "--date=2021-02-01"},
		{"calc", "b", "--date=2021-02-01"},
		{"calc", "c", "--date=2021-02-01"},
	}, commands(template))
	in := template.At(4)
	require.Equal(t, 4, in.Index)
	require.Equal(t, 2, in.Values.Len())
	var values []string
	for name, value := range in.Values.All() {
		values = append(values, name+"="+value)
	}
	require.Equal(t, []string{"DATE=2021-02-01", "SOURCE=b"}, values)
	value, ok := in.Values.Get("SOURCE")
	require.True(t, ok)
	require.Equal(t, "b", value)
	_, ok = in.Values.Get("OTHER")
	require.False(t, ok)
}

// D2: what multiplies a task, and how often.
func TestMultiplication(t *testing.T) {
	t.Parallel()
	params := dag.Parameters{
		"ONE": dag.List("x"), "TWO": dag.List("x", "y"), "SAME": dag.List("x", "x", "x"),
		"SCALAR": dag.Scalar("x"), "EMPTY": dag.Scalar(""), "NONE": dag.List(),
	}
	for _, test := range []struct {
		name  string
		words []string
		want  []string
	}{
		{"nothing", []string{"calc"}, []string{"t"}},
		{"a scalar", []string{"{{SCALAR}}{{EMPTY}}"}, []string{"t"}},
		{"a list of one", []string{"{{ONE}}"}, []string{"t_1"}},
		{"a list of two", []string{"{{TWO}}"}, []string{"t_1", "t_2"}},
		{"a list again", []string{"{{TWO}}", "a{{TWO}}{{TWO}}"}, []string{"t_1", "t_2"}},
		{"equal values", []string{"{{SAME}}"}, []string{"t_1", "t_2", "t_3"}},
		{"two lists", []string{"{{TWO}}", "{{ONE}}"}, []string{"t_1", "t_2"}},
		{"an escaped list", []string{`\{{TWO}}`}, []string{"t"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			template := compile(t, dag.Task{Name: "t", Job: dag.Command(test.words...)}, params)
			require.Equal(t, test.want, names(template))
			require.Equal(t, strings.Contains(test.want[0], "_"), template.Multiplied())
		})
	}
}

// D2: an empty list is an error for who refers to it.
func TestEmptyList(t *testing.T) {
	t.Parallel()
	params := dag.Parameters{"NONE": dag.List(), "SOME": dag.List("a")}
	_, err := expand.Compile(dag.Task{Name: "t", Job: dag.Command("{{SOME}}{{NONE}}")},
		dag.Job{}, params)
	p := problem(t, err)
	require.Equal(t, "t", p.Task)
	require.Equal(t, "parameters.NONE", p.Field)
}

// D3: what is a placeholder, and what is not.
func TestPlaceholders(t *testing.T) {
	t.Parallel()
	params := dag.Parameters{
		"A": dag.Scalar("a"), "a-_9": dag.Scalar("b"), "9": dag.Scalar("c"), "-": dag.Scalar("d"),
		"WILD": dag.Scalar(`{{A}} \{{A}} "' $x`),
		"OPEN": dag.Scalar("{{"), "CLOSE": dag.Scalar("}}"),
		"L": dag.List("l"),
	}
	for _, test := range []struct{ name, word, want string }{
		{"alone", "{{A}}", "a"},
		{"inside", "x{{A}}y", "xay"},
		{"several", "{{A}}{{a-_9}}/{{A}}", "ab/a"},
		{"every character of names", "{{a-_9}}{{9}}{{-}}", "bcd"},
		{"dot", "{{.ID}}", "{{.ID}}"},
		{"blanks", "{{ A }}", "{{ A }}"},
		{"nothing", "{{}}", "{{}}"},
		{"not closed", "{{A", "{{A"},
		{"closed by one", "{{A}", "{{A}"},
		{"not closed, then one", "{{A {{A}}", "{{A a"},
		{"one brace", "{A}", "{A}"},
		{"three braces", "{{{A}}}", "{a}"},
		{"letters beyond ASCII", "{{Ä}}", "{{Ä}}"},
		{"escaped", `\{{A}}`, "{{A}}"},
		{"escaped and unknown", `\{{UNKNOWN}}`, "{{UNKNOWN}}"},
		{"escaped and not", `\{{A}}{{A}}\{{A}}`, "{{A}}a{{A}}"},
		{"two backslashes", `\\{{A}}`, `\{{A}}`},
		{"backslash elsewhere", `\{{.ID}} \{A} \x`, `\{{.ID}} \{A} \x`},
		{"value with placeholders", "{{WILD}}", `{{A}} \{{A}} "' $x`},
		{"values that make a placeholder", "{{OPEN}}A{{CLOSE}}", "{{A}}"},
		{"the same with a list", "{{OPEN}}A{{CLOSE}}{{L}}", "{{A}}l"},
		{"escaped beside a list", `\{{A}}{{L}}\{{L}}`, "{{A}}l{{L}}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			template := compile(t, dag.Task{Name: "t", Job: dag.Command("run", test.word)}, params)
			require.Equal(t, []string{"run", test.want}, template.At(0).Job.Command)
		})
	}
}

// D3: placeholders work in every string of the job, and not in resources.
func TestEverywhere(t *testing.T) {
	t.Parallel()
	job := dag.Job{
		Command:     []string{"{{L}}", "fixed"},
		Environment: []string{"FIXED=1", "{{S}}={{L}}"},
		WorkDir:     "/data/{{L}}",
		TimeLimit:   time.Minute,
		Resources:   dag.Resources{"{{L}}": 2},
		Options:     map[string]any{"name": "{{L}}"},
	}
	template := compile(t, dag.Task{Name: "t", Job: job},
		dag.Parameters{"L": dag.List("one", "two"), "S": dag.Scalar("KEY")})
	require.Equal(t, dag.Job{
		Command:     []string{"two", "fixed"},
		Environment: []string{"FIXED=1", "KEY=two"},
		WorkDir:     "/data/two",
		TimeLimit:   time.Minute,
		Resources:   dag.Resources{"{{L}}": 2},
		Options:     map[string]any{"name": "two"},
	}, template.At(1).Job)
	require.Equal(t, dag.Resources{"{{L}}": 2}, template.Resources())
	// For checks in advance lists are left in, and scalars are not.
	job.Environment = []string{"FIXED=1", "KEY={{L}}"}
	require.Equal(t, job, template.Job())
}

// D3: an unknown name is an error with task, place and the nearest name.
func TestUnknownParameter(t *testing.T) {
	t.Parallel()
	params := dag.Parameters{"DATE": dag.List("x"), "SOURCE": dag.Scalar("y")}
	for _, test := range []struct {
		name     string
		job      dag.Job
		defaults dag.Job
		field    string
		hint     string
	}{
		{
			name: "word", job: dag.Command("calc", "{{DAT}}"),
			field: "job.command[1]", hint: "{{DATE}}",
		},
		{name: "case", job: dag.Command("{{source}}"), field: "job.command[0]", hint: "{{SOURCE}}"},
		{name: "far", job: dag.Command("{{ZZZ}}"), field: "job.command[0]", hint: `\{{ZZZ}}`},
		{
			name: "commandString", job: dag.Job{CommandString: "calc '{{DTAE}}'"},
			field: "job.commandString", hint: "{{DATE}}",
		},
		{
			name: "environment", job: dag.Job{Environment: []string{"A=1", "B={{DATES}}"}},
			field: "job.environment[1]", hint: "{{DATE}}",
		},
		{
			name: "workDir", job: dag.Job{WorkDir: "/{{SORCE}}"},
			field: "job.workDir", hint: "{{SOURCE}}",
		},
		{
			name: "options", job: dag.Job{Options: map[string]any{
				"slurm": map[string]any{"args": []any{"x", "{{DATA}}"}},
			}},
			field: "job.slurm.args[1]", hint: "{{DATE}}",
		},
		{
			name: "defaults", job: dag.Job{Environment: []string{"A=1"}},
			defaults: dag.Job{Environment: []string{"X=1", "B={{DAYTE}}"}},
			field:    "jobDefaults.environment[1]", hint: "{{DATE}}",
		},
		{
			name: "default options", job: dag.Job{Options: map[string]any{"own": "{{DATE}}"}},
			defaults: dag.Job{Options: map[string]any{"queue": "{{DTE}}"}},
			field:    "jobDefaults.queue", hint: "{{DATE}}",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := expand.Compile(dag.Task{Name: "calc", Job: test.job}, test.defaults, params)
			p := problem(t, err)
			if strings.HasPrefix(test.field, "jobDefaults") {
				require.Empty(t, p.Task, "it is the defaults where it can be fixed")
				require.Contains(t, p.Text, "calc")
			} else {
				require.Equal(t, "calc", p.Task)
			}
			require.Equal(t, test.field, p.Field)
			require.Contains(t, p.Hint, test.hint)
		})
	}
}

// Every problem is reported, not only the first.
func TestAllProblems(t *testing.T) {
	t.Parallel()
	_, err := expand.Compile(dag.Task{Name: "t", Job: dag.Job{
		Command:     []string{"{{A}}", "{{B}} {{C}}"},
		Environment: []string{"X={{D}}"},
		Options:     map[string]any{"b": "{{F}}", "a": "{{E}}", "c": "{{G}}"},
	}}, dag.Job{}, nil)
	require.Equal(t, []string{
		"t:job.command[0]", "t:job.command[1]", "t:job.command[1]", "t:job.environment[0]",
		"t:job.a", "t:job.b", "t:job.c",
	}, fields(t, err))
}

// A task's own parameters override the DAG's.
func TestTaskParameters(t *testing.T) {
	t.Parallel()
	task := dag.Task{
		Name: "t", Job: dag.Command("{{A}}{{B}}{{C}}"),
		Parameters: dag.Parameters{"A": dag.Scalar("own"), "B": dag.List("1", "2")},
	}
	template := compile(t, task, dag.Parameters{
		"A": dag.List("x", "y", "z"), "B": dag.Scalar("b"), "C": dag.Scalar("c"),
	})
	require.Equal(t, [][]string{{"own1c"}, {"own2c"}}, commands(template))
}

// D11: the size of a product is checked before anything is allocated.
func TestProductLimit(t *testing.T) {
	t.Parallel()
	thousand := dag.List(slices.Repeat([]string{"x"}, 1000)...)
	params, word := dag.Parameters{}, ""
	for _, name := range strings.Split("A B C D E F G H I J K L", " ") {
		params[name] = thousand
		word += "{{" + name + "}}"
	}
	for _, test := range []struct {
		name  string
		lists int
		limit int
		want  int // 0: an error
	}{
		{"one list", 1, 0, 1000},
		{"within the default", 2, 0, 1_000_000},
		{"beyond the default", 3, 0, 0},
		{"a greater limit", 3, 1_000_000_000, 1_000_000_000},
		{"one less", 3, 999_999_999, 0},
		{"no limit", 6, -1, 1_000_000_000_000_000_000},
		{"no limit, and overflow", 7, -1, 0},
		{"overflow to a small number", 12, 1 << 62, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			x := expand.Expander{Limits: dag.Limits{Product: test.limit}}
			job := dag.Command(word[:len("{{A}}")*test.lists])
			template, err := x.Compile(dag.Task{Name: "t", Job: job}, dag.Job{}, params)
			if test.want == 0 {
				p := problem(t, err)
				require.Equal(t, "parameters", p.Field)
				require.Contains(t, p.Text, "A (1000) × B (1000) × C (1000)")
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, template.Len())
			last := template.At(test.want - 1)
			require.Equal(t, strings.Repeat("x", test.lists), last.Job.Command[0])
			i, ok := template.Index(last.Name)
			require.True(t, ok)
			require.Equal(t, test.want-1, i)
		})
	}
}

// D6: defaults are filled in first, and multiply who takes them.
func TestDefaults(t *testing.T) {
	t.Parallel()
	defaults := dag.Job{
		CommandString: "run '{{L}}'", Environment: []string{"E={{M}}"}, WorkDir: "{{S}}",
		Options: map[string]any{"o": "{{N}}"},
	}
	params := dag.Parameters{
		"L": dag.List("l1", "l2"), "M": dag.List("m1", "m2", "m3"), "N": dag.List("n"),
		"S": dag.Scalar("dir"),
	}
	for _, test := range []struct {
		name string
		job  dag.Job
		len  int
	}{
		{"all taken", dag.Job{}, 6},
		{"own command", dag.Command("own"), 3},
		{"own commandString", dag.Job{CommandString: "own"}, 3},
		{"own variable", dag.Job{Environment: []string{"E=own"}}, 2},
		{"own command and variable", dag.Job{
			Command: []string{"own"}, Environment: []string{"E=own"},
		}, 1},
		{"another variable", dag.Job{Environment: []string{"F=own"}}, 6},
		{"own option", dag.Job{Options: map[string]any{"o": "own"}}, 6},
		{"no command at all", dag.Job{Command: []string{}}, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			template, err := expand.Compile(dag.Task{Name: "t", Job: test.job}, defaults, params)
			require.NoError(t, err)
			require.Equal(t, test.len, template.Len())
			require.Equal(t, "dir", template.At(0).Job.WorkDir)
		})
	}
	template, err := expand.Compile(
		dag.Task{Name: "t", Job: dag.Job{
			Command: []string{"own"}, Environment: []string{"E=own"},
			Options: map[string]any{"o": "own"},
		}}, defaults, params)
	require.NoError(t, err)
	require.False(t, template.Multiplied())
	require.Equal(t, "t", template.Task())
}

// D6: command and commandString are one member.
func TestBothCommands(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		own, def dag.Job
		field    string
	}{
		{name: "own", own: dag.Job{Command: []string{"a"}, CommandString: "b"}, field: "job"},
		{name: "own, empty", own: dag.Job{Command: []string{}, CommandString: "b"}, field: "job"},
		{
			name: "defaults", def: dag.Job{Command: []string{"a"}, CommandString: "b"},
			field: "jobDefaults",
		},
		{name: "one each", own: dag.Command("a"), def: dag.Job{CommandString: "b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := expand.Compile(dag.Task{Name: "t", Job: test.own}, test.def, nil)
			if test.field == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, test.field, problem(t, err).Field)
		})
	}
}

// D9: what only groups.
func TestGroups(t *testing.T) {
	t.Parallel()
	options := map[string]any{"queue": "long"}
	for _, test := range []struct {
		name     string
		own, def dag.Job
		want     bool
	}{
		{name: "nothing", want: true},
		{name: "a command", own: dag.Command("a")},
		{name: "a commandString", own: dag.Job{CommandString: "a"}},
		{name: "a default command", def: dag.Command("a")},
		{name: "a default commandString", def: dag.Job{CommandString: "a"}},
		{name: "no command", own: dag.Job{Command: []string{}}, want: true},
		{
			name: "a default kept away", want: true,
			own: dag.Job{Command: []string{}}, def: dag.Command("a"),
		},
		{name: "own options", own: dag.Job{Options: options}},
		{name: "default options", def: dag.Job{Options: options}, want: true},
		{
			name: "other members", want: true,
			own: dag.Job{Environment: []string{"A=1"}, WorkDir: "/", TimeLimit: 1},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			template, err := expand.Compile(dag.Task{Name: "t", Job: test.own}, test.def, nil)
			require.NoError(t, err)
			require.Equal(t, test.want, template.Groups())
		})
	}
}

// What has no placeholders is shared with the task, and nothing is altered.
func TestSharing(t *testing.T) {
	t.Parallel()
	job := dag.Job{
		Command: []string{"calc", "{{L}}"}, Environment: []string{"A=1"},
		Options: map[string]any{"o": []any{"x"}},
	}
	before := job.Clone()
	template := compile(t, dag.Task{Name: "t", Job: job}, dag.Parameters{"L": dag.List("1", "2")})
	one, two := template.At(0).Job, template.At(1).Job
	require.Equal(t, []string{"calc", "1"}, one.Command)
	require.Equal(t, []string{"calc", "2"}, two.Command)
	require.Same(t, &job.Environment[0], &one.Environment[0])
	require.Equal(t, before, job)
}

// A Template is safe for concurrent use.
func TestConcurrentAt(t *testing.T) {
	t.Parallel()
	template := compile(t, dag.Task{Name: "t", Job: dag.Job{
		Command: []string{"{{A}}", "{{B}}"}, Options: map[string]any{"o": "{{A}}"},
	}}, dag.Parameters{"A": dag.List("1", "2"), "B": dag.List("1", "2", "3")})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 6 {
				in := template.At(i)
				if in.Job.Command[0] != in.Job.Options["o"] {
					t.Errorf("instance %d is %v", i, in)
				}
			}
		})
	}
	wg.Wait()
}

// At and Name are like an index into a slice.
func TestOutOfRange(t *testing.T) {
	t.Parallel()
	template := compile(t, dag.Task{Name: "t", Job: dag.Command("{{L}}")},
		dag.Parameters{"L": dag.List("1", "2")})
	for _, i := range []int{-1, 2} {
		require.Panics(t, func() { template.At(i) })
		require.Panics(t, func() { template.Name(i) })
	}
}
