package expand_test

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/shlex"
	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/expand"
)

// seeds have the special cases of rule D3 in them.
func seeds(f *testing.F) {
	f.Helper()
	f.Add("{{A}}", "x{{B}}y{{S}}", "K={{A}}", "/d/{{T}}", "a,b,c", "1,2", "scalar")
	f.Add(`\{{A}}`, `\\{{A}}`, "{{{A}}}", "{{A}", "a,{{B}},\\{{A}}", "{{A}},", "{{S}}")
	f.Add("{{.ID}}", "{{ A }}", "{{}}", "{{A}}{{A}}{{B}}", "", ",", "\\")
	f.Add("{{UNKNOWN}}", "a b 'c", "{{A}}={{B}}", "", "x", "y", "two words")
	f.Add("{{{{A}}}}", "{{A{{B}}}}", "K={{S}}\x00", "{{a_-0}}", "A", "B", "\xff")
}

// params leaves NUL bytes out of values: what is written out holds them in
// commands, where they are errors.
func params(a, b, s string) dag.Parameters {
	a, b, s = strings.ReplaceAll(a, "\x00", ""), strings.ReplaceAll(b, "\x00", ""),
		strings.ReplaceAll(s, "\x00", "")
	return dag.Parameters{
		"A": dag.List(strings.Split(a, ",")...), "B": dag.List(strings.Split(b, ",")...),
		"S": dag.Scalar(s), "unused": dag.List("x", "y"),
	}
}

// FuzzCompile compares templates with the oracle.
func FuzzCompile(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, word, second, entry, option, a, b, s string) {
		p := params(a, b, s)
		task := dag.Task{
			Name: "t",
			Job: dag.Job{
				Command: []string{"run", word, second}, Environment: []string{entry},
				Options: map[string]any{"o": []any{option, "{{S}}"}},
			},
			Parameters: dag.Parameters{"T": dag.Scalar(second)},
		}
		defaults := dag.Job{WorkDir: option, Environment: []string{"D={{S}}"}}
		want, unknown := oracle(task, defaults, p)
		got, err := expand.Compile(task, defaults, p)
		if len(unknown) > 0 {
			require.ErrorIs(t, err, dag.ErrInvalid)
			return
		}
		require.NoError(t, err)
		requireInstances(t, want, got)
		requireLiteral(t, task, p)
	})
}

func requireInstances(t *testing.T, want []instance, got *expand.Template) {
	t.Helper()
	require.Equal(t, len(want), got.Len(), "D2: the number of instances is the product")
	for i, w := range want[:min(len(want), 50)] {
		in := got.At(i)
		require.Equal(t, w.name, in.Name)
		require.Equal(t, w.job, in.Job)
		require.Equal(t, i, in.Index)
		index, ok := got.Index(in.Name)
		require.True(t, ok)
		require.Equal(t, i, index)
	}
	require.Len(t, got.Job().Command, len(want[0].job.Command))
}

// requireLiteral checks that Literal says what Compile does.
func requireLiteral(t *testing.T, task dag.Task, p dag.Parameters) {
	t.Helper()
	template, err := expand.Compile(task, dag.Job{}, p)
	require.NoError(t, err)
	same := !template.Multiplied() && reflect.DeepEqual(template.At(0).Job, task.Job)
	if expand.Literal(&task, nil) {
		require.True(t, same)
	}
}

// FuzzExpand checks whole definitions: what is written out is what the
// templates make, it stands for itself, and the order of tasks is kept.
func FuzzExpand(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, word, second, entry, dir, a, b, s string) {
		d := &dag.DAG{
			Parameters:  params(a, b, s),
			JobDefaults: dag.Job{Command: []string{"default", word}, WorkDir: dir},
			Tasks: []dag.Task{
				{Name: "first", Job: dag.Command(second), Children: []string{"second"}},
				{Name: "second", Job: dag.Job{Environment: []string{"K=" + entry}}},
				{Name: "third", Job: dag.Job{Command: []string{}}, Parents: []string{"second"}},
				{Name: "fourth", Generator: true, Parents: []string{"third", "first"}},
			}[:2+len(word)%3],
		}
		out, err := expand.Expander{Limits: dag.Limits{Tasks: 1000}}.Expand(d)
		if err != nil {
			require.ErrorIs(t, err, dag.ErrInvalid)
			return
		}
		requireSameInstances(t, d, out)
		again, err := expand.Expander{Limits: dag.Limits{Tasks: -1}}.Expand(out)
		require.NoError(t, err)
		requireSameInstances(t, out, again)
		require.Len(t, again.Tasks, len(out.Tasks))
	})
}

// requireSameInstances compares the tasks of out with the instances of d.
func requireSameInstances(t *testing.T, d, out *dag.DAG) {
	t.Helper()
	rest := out.Tasks
	for _, task := range d.Tasks {
		template, err := expand.Compile(task, d.JobDefaults, d.Parameters)
		require.NoError(t, err)
		for i := range template.Len() {
			in := template.At(i)
			require.NotEmpty(t, rest)
			require.Equal(t, in.Name, rest[0].Name)
			written, err := expand.Compile(rest[0], out.JobDefaults, out.Parameters)
			require.NoError(t, err)
			require.False(t, written.Multiplied())
			require.Equal(t, template.Groups(), written.Groups())
			if !template.Groups() {
				require.Equal(t, in.Job, written.At(0).Job)
			}
			rest = rest[1:]
		}
	}
	require.Empty(t, rest)
}

// FuzzCommandString checks that values never change how many words there are
// (D3, S4), and which words there are by an oracle and by shlex.
func FuzzCommandString(f *testing.F) {
	for _, s := range []string{
		`a 'b c' "d e" f\ g`, `echo # 5`, `a#b #c "#d"`, `"\.go$" '\n' \n`, "a \\\n b",
		`\{{A}} "\{{A}}" '\{{A}}'`, `\\{{A}} {{A}}`, `'`, `"\"`, `\`, " \t", `"" ''`, `a""b`,
		"é\\é", `{{'A'}}`, "\xff'", `"\`, `\#`, `$HOME;|&`,
	} {
		f.Add(s, "two words", "'#")
	}
	f.Fuzz(func(t *testing.T, s, first, second string) {
		words, ok := Split(s)
		compile := func(value string) (*expand.Template, error) {
			return expand.Compile(dag.Task{Name: "t", Job: dag.Job{CommandString: s}}, dag.Job{},
				dag.Parameters{"A": dag.Scalar(value)})
		}
		got, err := compile(first)
		if s == "" || !utf8.ValidString(s) {
			return
		}
		if !ok {
			require.ErrorIs(t, err, dag.ErrInvalid)
			return
		}
		want, unknown := oracle(dag.Task{Name: "t", Job: dag.Job{Command: words}}, dag.Job{},
			dag.Parameters{"A": dag.Scalar(first)})
		if len(unknown) > 0 {
			require.ErrorIs(t, err, dag.ErrInvalid)
			return
		}
		require.NoError(t, err)
		requireInstances(t, want, got)
		if !strings.ContainsAny(s, `\#`) {
			plain, err := shlex.Split(s)
			require.NoError(t, err)
			require.Equal(t, plain, words)
		}
		other, err := compile(second)
		require.NoError(t, err)
		require.Len(t, other.At(0).Job.Command, len(words), "D3: values change no number of words")
	})
}
