package remote_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// A time-out is never proof (E3).
func TestWaitsForEver(t *testing.T) {
	t.Parallel()
	for _, wait := range []remote.Unreachable{"", remote.Wait} {
		synctest.Test(t, func(t *testing.T) {
			d, _, c := running(t, remote.Config{OnUnreachable: wait, Lease: time.Minute})
			d.setSilent(true)
			sleep(5 * time.Hour)
			require.False(t, c.over(), "%v", c.err)
			require.Less(t, d.count("dial"), 2*5*3600/15, "it backs off")
			d.setSilent(false)
			d.completes(t, c)
		})
	}
}

// With Replace an attempt is lost when its lease and the margins are over, counted from
// when the last ticket was got, and not a moment before.
func TestReplacesWhenTheLeaseIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, c := submitted(t, remote.Config{OnUnreachable: remote.Replace})
		require.Equal(t, remote.DefaultLease, d.task(t, "k1").sub.Lease)
		d.runs("k1")
		sleep(10 * time.Minute)
		require.False(t, c.over())
		// Renewed every 20 s, the last time now or a moment ago.
		d.mu.Lock()
		last := d.ticket
		d.mu.Unlock()
		d.setSilent(true)
		const wait = remote.DefaultLease*11/10 + 5*time.Second + remote.DefaultMargin
		sleep(time.Until(last.Add(wait - time.Millisecond)))
		require.False(t, c.over(), "after %v", time.Since(last))
		<-c.done
		isLost(t, c.err)
		// The one who looks at the clock may be waiting for an answer.
		require.LessOrEqual(t, time.Since(last), wait+20*time.Second)
		d.setSilent(false)
		sleep(time.Minute)
		require.Equal(t, 1, d.task(t, "k1").starts)
	})
}

// Renewals that arrive without their answers being heard do not make anything lost
// sooner or later: the client goes by the tickets it has got.
func TestNoProofWithoutKeeper(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		d.health.LeaseHolds = false // nobody stops what runs while the daemon is dead
		e := open(t, remote.Config{OnUnreachable: remote.Replace}, d)
		c := start(t, e, "a", "k1")
		synctest.Wait()
		d.runs("k1")
		synctest.Wait()
		d.setSilent(true)
		sleep(5 * time.Hour)
		require.False(t, c.over())
		d.setSilent(false)
		d.ends("k1", wire.Outcome{
			Stopped: wire.StoppedLease, Result: executor.Result{Signal: "SIGTERM"},
		})
		<-c.done
		isLost(t, c.err)
	})
}

// What may take days to stop is not lost before they are over, and not at all if that is
// not known.
func TestLongStopTime(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		stop time.Duration
		lost bool
	}{
		"days":      {48 * time.Hour, true},
		"not known": {0, false},
		"for ever":  {1<<63 - 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDaemon(t, "a")
				d.health.StopSeconds = test.stop.Seconds()
				e := open(t, remote.Config{OnUnreachable: remote.Replace}, d)
				c := start(t, e, "a", "k1")
				synctest.Wait()
				d.setSilent(true)
				sleep(48 * time.Hour)
				require.False(t, c.over())
				sleep(time.Hour)
				require.Equal(t, test.lost, c.over())
				d.setSilent(false)
			})
		})
	}
}

// What another engine may have renewed is not lost by this one's clock.
func TestResumedAttemptsWaitForTheirNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		d.set(func() { d.cut = true })
		e := open(t, remote.Config{OnUnreachable: remote.Replace}, d)
		c := start(t, e, "a", "k1", resumed)
		elsewhere := start(t, e, "not there", "k2", resumed)
		sleep(5 * time.Hour)
		require.False(t, c.over())
		require.Contains(t, c.last().Reason, `node "a": not reached since`)
		require.Contains(t, c.last().Reason, errCut.Error())
		require.False(t, elsewhere.over())
		require.Contains(t, elsewhere.last().Reason, "not in the fleet")
		d.set(func() { d.cut = false })
		sleep(time.Minute)
		d.completes(t, c)
		e.Gone("not there")
		<-elsewhere.done
		isLost(t, elsewhere.err)
	})
}

// The same if this engine has heard of the node, but not of the attempt.
func TestResumedAttemptsAreNotOurs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, e, own := running(t, remote.Config{OnUnreachable: remote.Replace})
		d.setSilent(true)
		c := start(t, e, "a", "k2", resumed)
		<-own.done
		isLost(t, own.err)
		sleep(5 * time.Hour)
		require.False(t, c.over(), "%v", c.err)
		d.setSilent(false)
		sleep(time.Minute)
		d.completes(t, c)
	})
}

// What certainly was never sent is lost soon, so that it runs elsewhere.
func TestNeverSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		e := open(t, remote.Config{}, d)
		synctest.Wait()
		d.leaves()
		synctest.Wait()
		c := start(t, e, "a", "k1")
		stopped := start(t, e, "a", "k2")
		synctest.Wait()
		stopped.cancel(errors.New("the test stops it"))
		<-stopped.done
		require.ErrorContains(t, stopped.err, "the test stops it")
		sleep(9 * time.Second)
		require.False(t, c.over())
		<-c.done
		isLost(t, c.err)
		late := start(t, e, "gone", "k3")
		<-late.done
		isLost(t, late.err)
	})
}

// One request renews all leases of a node, however many attempts there are.
func TestRenewalsAreForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		e := open(t, remote.Config{Lease: 30 * time.Second}, d)
		for i := range 200 {
			start(t, e, "a", fmt.Sprint("k", i))
		}
		synctest.Wait()
		before := len(d.log())
		sleep(10 * time.Minute)
		require.InDelta(t, 120, d.count("POST /api/v1/renew"), 2)
		require.InDelta(t, 120, len(d.log())-before, 2, "%v", d.log()[before:])
		for i := range 200 {
			d.ends(fmt.Sprint("k", i), wire.Outcome{Inline: true})
		}
		synctest.Wait()
		before = d.count("POST /api/v1/renew")
		sleep(10 * time.Minute)
		require.LessOrEqual(t, d.count("POST /api/v1/renew"), before+1, "nothing is open")
	})
}

// A renewal that is lost does no harm: a lease counts from the ticket that comes with the
// next, which is older than that.
func TestLostRenewals(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(r *http.Request){
		"broken off": func(*http.Request) { panic(http.ErrAbortHandler) },
		"silent": func(r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d, _, c := running(t, remote.Config{Lease: time.Minute})
				var heard atomic.Int64 // from when leases count
				var lost atomic.Bool
				heard.Store(time.Now().UnixNano())
				d.set(func() {
					d.between = func(_ http.ResponseWriter, r *http.Request) bool {
						if r.URL.Path == wire.PathRenew && lost.Swap(false) {
							lose(r)
							return true
						}
						text := strings.TrimPrefix(r.Header.Get(wire.HeaderTicket), "t-")
						at, _ := strconv.ParseInt(text, 10, 64)
						heard.Store(max(at, heard.Load()))
						return false
					}
				})
				for i := range 600 {
					if i%200 == 100 {
						lost.Store(true)
					}
					sleep(time.Second)
					require.Less(t, time.Since(time.Unix(0, heard.Load())), time.Minute)
				}
				d.completes(t, c)
			})
		})
	}
}

// Leases are renewed although the daemon takes its time for something else, or short
// ones would be over.
func TestRenewalsWaitForNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		d.between = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == wire.PathAck {
				sleep(14 * time.Second)
			}
			return false
		}
		e := open(t, remote.Config{Lease: 6 * time.Second}, d)
		c := start(t, e, "a", "k1")
		synctest.Wait()
		d.runs("k1")
		sleep(time.Minute)
		before := d.count("POST /api/v1/renew")
		require.NoError(t, e.Forget(t.Context(), "k0"))
		require.Greater(t, d.count("POST /api/v1/renew"), before+3)
		d.ends("k1", wire.Outcome{Inline: true})
		<-c.done
	})
}

// What was detached goes on for as long as the executor is there.
func TestDetachedAttemptsAreKeptAlive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, c := running(t, remote.Config{Lease: time.Minute})
		c.cancel(executor.ErrDetach)
		<-c.done
		before := d.count("POST /api/v1/renew")
		sleep(3 * time.Minute)
		require.Greater(t, d.count("POST /api/v1/renew"), before+5)
	})
}

// A node that comes back is not waited for past the end of leases.
func TestBackoffIsShorterThanTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, _ := submitted(t, remote.Config{Lease: 12 * time.Second})
		d.leaves()
		sleep(10 * time.Minute)
		before := d.count("POST /api/v1/renew")
		d.set(func() { d.cut = false })
		sleep(4 * time.Second)
		require.Greater(t, d.count("POST /api/v1/renew"), before)
	})
}
