package remote_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote"
)

// A connection that cannot be made costs more and more time, although the stream is
// there, and then the stream too: to write a submission is not to have it answered.
func TestSubmissionsBackOff(t *testing.T) {
	t.Parallel()
	for range 10 {
		synctest.Test(t, func(t *testing.T) {
			d := newDaemon(t, "a")
			e := open(t, remote.Config{}, d)
			synctest.Wait()
			d.set(func() { d.cut = true })
			c := start(t, e, "a", "k1")
			<-c.done
			isLost(t, c.err)
			require.Less(t, d.count("dial"), 30)
			d.set(func() { d.cut = false })
		})
	}
}

// A node that has refused whatever was asked takes work again when it can, although
// nothing is left to be asked.
func TestNodeIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		refusing := true
		d.between = func(w http.ResponseWriter, r *http.Request) bool {
			d.mu.Lock()
			defer d.mu.Unlock()
			if refusing && r.Method != http.MethodGet {
				_ = http.NewResponseController(w).EnableFullDuplex()
				w.WriteHeader(http.StatusBadGateway)
				return true
			}
			return false
		}
		e := open(t, remote.Config{}, d)
		c := start(t, e, "a", "k1")
		sleep(5 * time.Minute)
		require.Contains(t, e.Nodes()[0].Trouble, "requests in a row have failed")
		c.cancel(executor.ErrDetach)
		<-c.done
		sleep(time.Minute)
		d.set(func() { refusing = false })
		sleep(time.Minute)
		require.Empty(t, e.Nodes()[0].Trouble)
	})
}
