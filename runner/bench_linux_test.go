package runner_test

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
)

// BenchmarkMemory reports how much the resident set of the process grows at
// most while a run with its log in memory goes on, above what it was with the
// definition.
func BenchmarkMemory(b *testing.B) {
	const n = 1_000_000
	for _, tc := range []struct {
		name string
		dag  func() *dag.DAG
	}{
		{"instances", func() *dag.DAG { return instances(n) }},
		{"tasks", func() *dag.DAG { return shapes()[0].dag(n) }},
	} {
		b.Run(fmt.Sprintf("%s=%d", tc.name, n), func(b *testing.B) {
			d := tc.dag()
			worst := 0
			for b.Loop() {
				b.StopTimer()
				debug.FreeOSMemory()
				// Resets the peak, see proc_pid_clear_refs(5).
				require.NoError(b, os.WriteFile("/proc/self/clear_refs", []byte("5"), 0))
				before := status(b, "VmRSS:")
				b.StartTimer()
				mustRun(b, d)()
				worst = max(worst, status(b, "VmHWM:")-before)
			}
			b.ReportMetric(float64(worst)/1024, "MiB")
		})
	}
}

// status reads a line of /proc/self/status, in KiB.
func status(b *testing.B, name string) int {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	require.NoError(b, err)
	_, rest, found := bytes.Cut(text, []byte(name))
	require.True(b, found)
	var kib int
	_, err = fmt.Sscan(string(rest), &kib)
	require.NoError(b, err)
	return kib
}
