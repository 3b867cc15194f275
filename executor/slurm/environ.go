package slurm

import "github.com/daggy-go/daggy/internal/invocation"

// DefaultEnv returns the names of the variables that commands get from this
// process unless [Config] says otherwise: who and where the user is, the
// language, and where programs are. The slice is the caller's.
func DefaultEnv() []string {
	return []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TZ"}
}

// inherit returns the entries of environ that have one of the names.
func inherit(names, environ []string) []string {
	if names == nil {
		names = DefaultEnv()
	}
	return invocation.Inherit(names, environ)
}
