package sim_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
)

// occurrences are what must have occurred beside faults, records and decisions.
var occurrences = []string{
	"fenced", "active", "late append applied", "late append refused", "crash before append",
	"crash after append", "attached", "late message", "claim taken by the engine", "forgotten",
	"compared with memory", "compared with the script", "replayed",
}

// checkCoverage checks that everything occurred that can: what never does is not
// tested.
func (s *summary) checkCoverage(t *testing.T) {
	t.Helper()
	for _, f := range faults {
		require.NotZero(t, s.seen[string(f)], "fault %q never struck", f)
	}
	for k := statelog.Opened; k <= statelog.Detached; k++ {
		require.NotZero(t, s.seen[k.String()], "no record of kind %v was ever made", k)
	}
	for d := statelog.Kill; d <= statelog.Abort; d++ {
		require.NotZero(t, s.seen["decided "+d.String()], "nothing was ever decided by %v", d)
	}
	for c := statelog.Success; c <= statelog.Interrupted; c++ {
		require.NotZero(t, s.seen["class "+c.String()], "no attempt ever ended as %v", c)
	}
	for _, what := range occurrences {
		require.NotZero(t, s.seen[what], "%q never occurred", what)
	}
}
