package sim_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// shrink leaves out tasks and faults for as long as the same invariant is
// violated. What is left out changes all that happens afterwards, so this finds
// a smaller history and not a part of the same.
func shrink(t *testing.T, w *world) *world {
	t.Helper()
	for again := true; again; {
		again = false
		for _, name := range w.parts() {
			less := maps.Clone(w.without)
			less[name] = true
			smaller := simulate(t, settings{seed: w.seed, without: less})
			if smaller.broken != nil && invariant(smaller.broken) == invariant(w.broken) {
				w, again = smaller, true
			}
		}
	}
	return simulate(t, settings{seed: w.seed, without: w.without, keep: true})
}

// parts are what could be left out of a world: tasks first.
func (w *world) parts() []string {
	var names []string
	for _, t := range w.dag.Tasks {
		names = append(names, t.Name)
	}
	for _, f := range faults {
		if w.rates[f] > 0 {
			names = append(names, string(f))
		}
	}
	return names
}

// report says what was violated, how, and how to see it again.
func (w *world) report() string {
	const lines = 40
	left := slices.Sorted(maps.Keys(w.without))
	left = slices.DeleteFunc(left, func(s string) bool { return s == "" })
	return fmt.Sprintf("seed %d: %v\n%s\nthe last of %d lines; for all of them:\n"+
		"go test ./internal/sim -run 'TestSim$' -args -seed=%d -trace -without='%s'",
		w.seed, w.broken, strings.Join(w.trace[max(0, len(w.trace)-lines):], "\n"), len(w.trace),
		w.seed, strings.Join(left, ","))
}
