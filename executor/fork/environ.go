package fork

import (
	"path/filepath"
	"strings"
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
	var in inherited
	for _, entry := range environ {
		if allowed(names, key(entry)) {
			in.entries = append(in.entries, entry)
		}
	}
	for _, name := range names {
		in.all = in.all || name == "*"
	}
	return in
}

func allowed(names []string, name string) bool {
	for _, n := range names {
		prefix, open := strings.CutSuffix(n, "*")
		if n == name || open && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// with returns the environment of a command: what is inherited, under what the
// job says. The last of several entries with one key wins, as the C library and
// programs do not agree on which of two they see.
func (in inherited) with(own []string, dir string) []string {
	env := make([]string, 0, len(in.entries)+len(own)+1)
	env = append(env, in.entries...)
	if in.all && dir != "" {
		// The inherited PWD is that of this process.
		if abs, err := filepath.Abs(dir); err == nil {
			env = append(env, "PWD="+abs)
		}
	}
	return lastOfEach(append(env, own...))
}

func lastOfEach(env []string) []string {
	at := make(map[string]int, len(env))
	kept := env[:0]
	for _, entry := range env {
		k := key(entry)
		if i, seen := at[k]; seen {
			kept[i] = entry
			continue
		}
		at[k] = len(kept)
		kept = append(kept, entry)
	}
	return kept
}

// key is the name of a variable.
func key(entry string) string {
	k, _, _ := strings.Cut(entry, "=")
	return k
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
