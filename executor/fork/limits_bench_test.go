//go:build linux

package fork_test

import (
	"testing"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/fork"
)

// BenchmarkForkLimits compares attempts that the kernel holds to limits of their memory,
// their processor time and their processes with attempts that it does not, everything
// else being equal. One iteration is a round of each; the metrics are medians over the
// rounds.
func BenchmarkForkLimits(b *testing.B) {
	for _, c := range []struct {
		name    string
		job     dag.Resources
		workers int
		dir     bool
	}{
		{"none/workers=2", nil, 2, false},
		{"all/workers=1", held, 1, false},
		{"all/workers=2", held, 2, false},
		{"all/workers=64", held, 64, false},
		{"all/workers=2/detached", held, 2, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			run := func(mode fork.LimitMode) func() error {
				config := fork.Config{Limits: fork.Limits{Mode: mode}}
				if c.dir {
					config.Dir = place(b)
				}
				e := fork.New(config)
				return func() error { return runHeld(b.Context(), e, c.job) }
			}
			off, on := run(fork.LimitsOff), run(fork.LimitsRequired)
			n := max(256, 4*c.workers)
			measure(b, c.workers, n, off)
			measure(b, c.workers, n, on)
			var cpu, rate []float64
			for b.Loop() {
				x := measure(b, c.workers, n/2, off)
				y := measure(b, c.workers, n, on)
				z := measure(b, c.workers, n/2, off)
				cpu = append(cpu, y.cpu/((x.cpu+z.cpu)/2))
				rate = append(rate, (1/y.rate)/((1/x.rate+1/z.rate)/2))
			}
			if !c.dir { // the supervisor is not counted
				b.ReportMetric(median(cpu), "cpu/without")
			}
			b.ReportMetric(median(rate), "time/without")
		})
	}
}

var held = dag.Resources{dag.Cores: 1, dag.MemoryMB: 64}
