package fork

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/daggy-go/daggy/internal/invocation"
)

// DefaultEnv returns the names of the variables that commands get from this
// process unless [Config] says otherwise: who and where the user is, the
// language, and where programs and temporary files are. Nothing that is likely
// to be a secret is among them. The slice is the caller's.
func DefaultEnv() []string {
	return []string{
		"PATH", "HOME", "USER", "LOGNAME", "SHELL",
		"LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR",
	}
}

// inherited is what commands get from the environment of this process.
type inherited struct {
	entries []string
	all     bool // the list was "*"
}

func inherit(names, environ []string) inherited {
	if names == nil {
		names = DefaultEnv()
	}
	return inherited{invocation.Inherit(names, environ), slices.Contains(names, "*")}
}

// with returns the environment of a command: what is inherited, under what the
// job says.
func (in inherited) with(own []string, dir string) []string {
	env := make([]string, 0, len(in.entries)+len(own)+1)
	env = append(env, in.entries...)
	if in.all && dir != "" {
		// The inherited PWD is that of this process.
		if abs, err := filepath.Abs(dir); err == nil {
			env = append(env, "PWD="+abs)
		}
	}
	return invocation.LastOfEach(append(env, own...))
}

// variable returns the value of a variable that occurs once at most.
func variable(env []string, name string) string {
	for _, entry := range env {
		if k, value, _ := strings.Cut(entry, "="); k == name {
			return value
		}
	}
	return ""
}
