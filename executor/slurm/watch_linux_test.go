package slurm_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/slurm"
)

// What jobs of this machine write is seen at once, not with the next listing.
func TestReportsAreSeenAtOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	config := c.config(t.TempDir())
	config.Interval = time.Hour
	e := slurm.New(config)
	for _, key := range []string{"first", "second"} { // each is a session of its own
		running := false
		a := attempt(key, dag.Command("true"))
		a.OnReport = func(s executor.Status) { running = running || s.Running }
		res, err := e.Run(t.Context(), a)
		require.NoError(t, err)
		require.True(t, res.OK())
		require.True(t, running)
	}
}
