package invocation

import (
	"fmt"
	"strings"
)

// CheckEnvironment reports an entry that is not "KEY=value". It leaves alone what
// placeholders may still turn into one.
func CheckEnvironment(environ []string) error {
	for _, entry := range environ {
		k, _, found := strings.Cut(entry, "=")
		if found && k != "" || strings.Contains(entry, "{{") {
			continue
		}
		return fmt.Errorf("environment: %q is not of the form KEY=value", entry)
	}
	return nil
}

// Inherit returns the entries of environ that have one of the names. A trailing '*'
// stands for any end of a name.
func Inherit(names, environ []string) []string {
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

// LastOfEach leaves the last of several entries with one key, in the place of the
// first, as the C library and programs do not agree on which of two they see. It
// uses the room of env.
func LastOfEach(env []string) []string {
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
