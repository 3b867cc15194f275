package expand

import (
	"strings"

	"github.com/daggy-go/daggy/dag"
)

// Literal reports that t stands for exactly one instance, named like the task,
// whose job is t.Job exactly as it is written: there are no defaults to merge,
// no placeholders to replace or to unescape, and no commandString to split.
// [Compile] would succeed and change nothing, so it need not be called.
//
// It says nothing about whether t only groups (D9), which shows in t.Job. It
// takes a few nanoseconds for a short command. Nil defaults are none.
func Literal(t *dag.Task, defaults *dag.Job) bool {
	if defaults != nil && !isZero(defaults) {
		return false
	}
	j := &t.Job
	if j.CommandString != "" {
		return false
	}
	for _, word := range j.Command {
		// The first test alone is inlined, and nearly always enough.
		if strings.IndexByte(word, '{') >= 0 && hasPlaceholder(word) {
			return false
		}
	}
	if len(j.Environment) == 0 && j.WorkDir == "" && len(j.Options) == 0 {
		return true
	}
	return literalRest(j)
}

// literalRest is Literal for what few jobs have.
func literalRest(j *dag.Job) bool {
	for _, entry := range j.Environment {
		if hasPlaceholder(entry) {
			return false
		}
	}
	return !hasPlaceholder(j.WorkDir) && (len(j.Options) == 0 || literalOptions(j.Options))
}

func literalOptions(options map[string]any) bool {
	literal := true
	w := rewriter{text: func(s string) string {
		literal = literal && !hasPlaceholder(s)
		return s
	}}
	w.options(options)
	return literal && !w.tooDeep
}

// isZero reports that j fills in nothing.
func isZero(j *dag.Job) bool {
	return j.Command == nil && j.CommandString == "" && len(j.Environment) == 0 &&
		j.WorkDir == "" && j.TimeLimit == 0 && len(j.Resources) == 0 && len(j.Options) == 0
}
