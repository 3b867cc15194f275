package inproc_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/inproc"
)

func TestCommandString(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		args []string
		ok   bool
	}{
		"words":       {`f "a b" c`, []string{"a b", "c"}, true},
		"only a name": {`f`, []string{}, true},
		"empty":       {` `, nil, false},
		"open quote":  {`f "a`, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			called := false
			ex := one(func(_ context.Context, c *inproc.Call) error {
				called = true
				require.Equal(t, test.args, c.Args)
				return nil
			})
			_, err := ex.Run(t.Context(), attempt(dag.Job{CommandString: test.text}))
			require.Equal(t, test.ok, err == nil)
			require.Equal(t, test.ok, called)
			require.Equal(t, !test.ok, executor.IsPermanent(err))
		})
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	nothing := func(context.Context, *inproc.Call) error { return nil }
	ex := inproc.New(inproc.Config{Funcs: inproc.Funcs{"resize": nothing, "crop": nothing}})
	options := func(names ...string) dag.Job {
		job := dag.Job{Command: names[:1], Options: map[string]any{}}
		for _, name := range names[1:] {
			job.Options[name] = true
		}
		return job
	}
	for name, test := range map[string]struct {
		job  dag.Job
		want []string // parts of the message; none: valid
	}{
		"known":              {dag.Command("resize", "{{SIZE}}"), nil},
		"known, in a string": {dag.Job{CommandString: `resize "{{SIZE}}"`}, nil},
		"a placeholder":      {dag.Command("{{WHAT}}", "x"), nil},
		"part placeholder":   {dag.Job{CommandString: "re{{WHAT}} x"}, nil},
		"unknown": {
			dag.Command("resise"),
			[]string{`"resise"; did you mean "resize"`, "crop, resize"},
		},
		"far off":      {dag.Command("/bin/true"), []string{`"/bin/true"`, "crop, resize"}},
		"other braces": {dag.Command("{{ x }}"), []string{`"{{ x }}"`}},
		"no command":   {dag.Job{Command: []string{}}, []string{"no command"}},
		"bad string":   {dag.Job{CommandString: `"resize`}, []string{`\"resize`}},
		"options":      {options("crop", "b", "a"), []string{`"a"`, `"b"`}},
		"all at once":  {options("x", "a"), []string{`"x"`, `"a"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := ex.Validate(test.job)
			if len(test.want) == 0 {
				require.NoError(t, err)
			}
			for _, part := range test.want {
				require.ErrorContains(t, err, part)
			}
			if name == "far off" {
				require.NotContains(t, err.Error(), "did you mean")
			}
		})
	}
}

func TestUnknownFunctionsAreListedUpToALimit(t *testing.T) {
	t.Parallel()
	funcs := inproc.Funcs{}
	err := inproc.New(inproc.Config{}).Validate(dag.Command("x"))
	require.ErrorContains(t, err, "none is known")
	for i := range 25 {
		funcs[fmt.Sprintf("f%02d", i)] = func(context.Context, *inproc.Call) error { return nil }
	}
	funcs["nil"] = nil
	ex := inproc.New(inproc.Config{Funcs: funcs})
	require.Len(t, ex.Names(), 25)
	require.ErrorContains(t, ex.Validate(dag.Command("other")), "f19 and 5 more")
}

// TestUnknownAtRunTime is a name that a parameter made.
func TestUnknownAtRunTime(t *testing.T) {
	t.Parallel()
	_, err := failing(nil).Run(t.Context(), attempt(dag.Command("g")))
	require.ErrorContains(t, err, `"g"`)
	require.True(t, executor.IsPermanent(err))
}
