//go:build linux

package fork_test

import (
	"testing"

	"github.com/daggy-go/daggy/executor/fork"
)

// BenchmarkForkDetached compares attempts that outlive the engine with attempts
// that do not, everything else being equal. One iteration is a round of each; the
// metrics are medians over the rounds. The first ones are forgotten in between, as
// a runner does it.
func BenchmarkForkDetached(b *testing.B) {
	for _, c := range []struct {
		name    string
		argv    []string
		workers int
		capture bool
	}{
		{"true/captured=neither", []string{"/bin/true"}, 2, false},
		{"true/captured=both", []string{"/bin/true"}, 2, true},
		{"true/captured=both/workers=8", []string{"/bin/true"}, 8, true},
		{"echo/captured=both", []string{"/bin/echo", "hello", "world"}, 2, true},
		{"echo/captured=both/workers=64", []string{"/bin/echo", "hello", "world"}, 64, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			run := func(e *fork.Executor) func() error {
				return func() error { return runOurs(b.Context(), e, c.argv, c.capture) }
			}
			attached := run(fork.New(fork.Config{}))
			detached := run(fork.New(fork.Config{Dir: place(b)}))
			n := max(128, 4*c.workers)
			measure(b, c.workers, n, detached) // the supervisor has to start
			var ratios []float64
			for b.Loop() {
				x := measure(b, c.workers, n/2, attached)
				y := measure(b, c.workers, n, detached)
				z := measure(b, c.workers, n/2, attached)
				// The whole time of one by that of the other.
				ratios = append(ratios, (1/y.rate)/((1/x.rate+1/z.rate)/2))
			}
			b.ReportMetric(median(ratios), "time/attached")
		})
	}
}
