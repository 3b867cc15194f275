package expand_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/expand"
)

// D3, S4: a commandString is split by shell rules, once and before values are
// put in.
func TestCommandString(t *testing.T) {
	t.Parallel()
	params := dag.Parameters{
		"A": dag.Scalar(`a b 'c" #\`), "EMPTY": dag.Scalar(""), "L": dag.List("x y"),
	}
	for _, test := range []struct {
		name, in string
		want     []string
	}{
		{"blanks", " a\tb \n c\r ", []string{"a", "b", "c"}},
		{"quotes", `a 'b c' "d e" f'g'"h"`, []string{"a", "b c", "d e", "fgh"}},
		{"empty words", `'' "" a''`, []string{"", "", "a"}},
		{"quotes in quotes", `"it's" 'say "x"'`, []string{"it's", `say "x"`}},
		{"backslashes", `a\ b \'c \\ \n`, []string{"a b", "'c", `\`, "n"}},
		{"backslashes in double quotes", `"\$x \"y\" \\ \.go \n"`, []string{`$x "y" \ \.go \n`}},
		{"backslashes in single quotes", `'\n \\'`, []string{`\n \\`}},
		{"continued lines", "a \\\n b\\\nc \"d\\\ne\"", []string{"a", "bc", "de"}},
		{"beyond ASCII", `größe "ü\é" \€uro`, []string{"größe", `ü\é`, "€uro"}},
		{"no comments", "a #5 # b\nc#d '#e'", []string{"a", "#5", "#", "b", "c#d", "#e"}},
		{"no comment after a quoted word", `'a'#b \#c`, []string{"a#b", "#c"}},
		{"no shell", "a|b $HOME; *.go && > d", []string{"a|b", "$HOME;", "*.go", "&&", ">", "d"}},
		{"value with all of that", "run {{A}} x", []string{"run", `a b 'c" #\`, "x"}},
		{"value in quotes", `"--a={{A}}" '{{A}}'`, []string{`--a=a b 'c" #\`, `a b 'c" #\`}},
		{"empty value", "run {{EMPTY}} x", []string{"run", "", "x"}},
		{"list", "run {{L}}", []string{"run", "x y"}},
		{"escaped", `\{{A}} "\{{A}}" '\{{A}}'`, []string{"{{A}}", "{{A}}", "{{A}}"}},
		{"escaped inside", `x\{{A}}"y\{{A}}"'z'`, []string{"x{{A}}y{{A}}z"}},
		{"escaped twice", `\\{{A}}`, []string{"{{A}}"}},
		{"other braces", `{{.ID}} "{{ A }}"`, []string{"{{.ID}}", "{{ A }}"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			task := dag.Task{Name: "t", Job: dag.Job{CommandString: test.in}}
			template := compile(t, task, params)
			job := template.At(0).Job
			require.Equal(t, test.want, job.Command)
			require.Empty(t, job.CommandString)
			require.Empty(t, template.Job().CommandString)
		})
	}
}

func TestBadCommandString(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, in string }{
		{"single quote", "a 'b"},
		{"double quote", `a "b`},
		{"escaped double quote", `a "b\"`},
		{"backslash in double quotes", `a "b\`},
		{"last backslash", `a b\`},
		{"blanks only", " \t\n"},
		{"a continued nothing", "\\\n"},
		{"not UTF-8", "'\xff'"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			task := dag.Task{Name: "t", Job: dag.Job{CommandString: test.in}}
			_, err := expand.Compile(task, dag.Job{}, nil)
			p := problem(t, err)
			require.Equal(t, "t", p.Task)
			require.Equal(t, "job.commandString", p.Field)
			require.NotEmpty(t, problems(t, expand.Validate(&dag.DAG{Tasks: []dag.Task{task}})))
		})
	}
}
