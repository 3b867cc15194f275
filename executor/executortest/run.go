package executortest

import (
	"slices"
	"testing"
)

// Run checks the executor of c against every rule, as subtests of t.
func Run(t *testing.T, c Config) {
	t.Helper()
	for _, rule := range rules() {
		t.Run(rule.name, func(t *testing.T) {
			for _, check := range rule.checks {
				t.Run(check.name, func(t *testing.T) { check.on(t, c) })
			}
		})
	}
}

// A rule is one of the numbered rules of package executor.
type rule struct {
	name   string
	checks []check
}

// A check fails if an executor breaks the rule. It takes a testing.TB, so that
// the tests of this package can run it on a broken executor and see it fail.
type check struct {
	name string
	run  func(l *lab)
}

func (k check) on(tb testing.TB, c Config) {
	tb.Helper()
	l := newLab(tb, c)
	defer l.tidy()
	k.run(l)
}

func rules() []rule {
	return slices.Concat(
		[]rule{{"Validate", validateChecks()}},
		[]rule{{"E1", e1Checks()}, {"E2", e2Checks()}, {"E3", e3Checks()}, {"E4", e4Checks()}},
		[]rule{{"E5", e5Checks()}, {"E6", e6Checks()}, {"E7", e7Checks()}, {"E8", e8Checks()}},
		[]rule{{"R4", r4Checks()}, {"S3", s3Checks()}, {"S4", s4Checks()}},
	)
}
