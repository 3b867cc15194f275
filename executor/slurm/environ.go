package slurm

import "strings"

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
	var kept []string
	for _, entry := range environ {
		if allowed(names, key(entry)) {
			kept = append(kept, entry)
		}
	}
	return kept
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

func key(entry string) string {
	name, _, _ := strings.Cut(entry, "=")
	return name
}

// lastOfEach leaves the last of several entries with one key, since the C
// library and programs do not agree on which of two they see.
func lastOfEach(entries []string) []string {
	last := make(map[string]int, len(entries))
	for i, entry := range entries {
		last[key(entry)] = i
	}
	kept := entries[:0:0]
	for i, entry := range entries {
		if last[key(entry)] == i {
			kept = append(kept, entry)
		}
	}
	return kept
}
