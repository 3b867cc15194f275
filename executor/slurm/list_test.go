package slurm_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
)

// What squeue leaves out unless it is asked for would be missing: jobs in partitions
// that are hidden, those that have ended, and those of who runs the commands, who is
// known by another number on another machine.
func TestWhatIsListed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		e, _ := setup(t, s)
		c := begin(t, e, attempt("key", dag.Command("true")))
		pass(time.Minute)
		listing := s.last("squeue")
		for _, want := range []string{"--all", "--states=all", "--array", "--me"} {
			require.Contains(t, listing, want)
		}
		c.detach(t)
	})
}
