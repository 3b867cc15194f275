package remote_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
	synctest.Test(t, func(t *testing.T) {
		d, _, c := running(t, remote.Config{Lease: time.Minute})
		d.setSilent(true)
		sleep(5 * time.Hour)
		require.False(t, c.over(), "%v", c.err)
		require.Less(t, d.count("dial"), 2*5*3600/15, "it backs off")
		d.setSilent(false)
		d.completes(t, c)
	})
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
		d := newDaemon(t, "a")
		e := open(t, remote.Config{OnUnreachable: remote.Replace}, d)
		own := start(t, e, "a", "k1")
		synctest.Wait()
		d.runs("k1")
		synctest.Wait()
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
		require.InDelta(t, 60, d.count("POST /api/v1/renew"), 2)
		require.InDelta(t, 60, len(d.log())-before, 2, "%v", d.log()[before:])
		for i := range 200 {
			d.ends(fmt.Sprint("k", i), wire.Outcome{Inline: true})
		}
		synctest.Wait()
		before = d.count("POST /api/v1/renew")
		sleep(10 * time.Minute)
		require.LessOrEqual(t, d.count("POST /api/v1/renew"), before+1, "nothing is open")
	})
}

// restart makes another process of the daemon, with the same journal or another.
func (d *daemon) restart(change func(h *wire.Health)) {
	d.set(func() {
		d.health.Start += "+"
		change(&d.health)
	})
	d.hangUp()
}

func TestDaemonRestarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, c := running(t, remote.Config{})
		d.restart(func(*wire.Health) { d.rev = 0 })
		sleep(time.Minute)
		require.True(t, d.task(t, "k1").sub.Resumed)
		d.completes(t, c)
		require.Equal(t, 1, d.task(t, "k1").starts)
	})
}

// A daemon that has lost its journal would start everything anew.
func TestJournalIsLost(t *testing.T) {
	t.Parallel()
	for name, reboot := range map[string]bool{"and nothing else": false, "and rebooted": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d, e, c := submitted(t, remote.Config{})
				ref := func(c *call) { c.Ref = "j1/b1/p7" }
				d.restart(func(h *wire.Health) {
					d.tasks, h.Journal = map[string]*task{}, "j2"
					if reboot {
						h.Boot = "b2"
					}
				})
				sleep(time.Minute)
				old := start(t, e, "a", "k2", resumed, ref)
				sleep(time.Minute)
				if reboot {
					<-c.done
					isLost(t, c.err)
					<-old.done
					isLost(t, old.err)
					require.Equal(t, wire.Closed, d.task(t, "k1").state.State)
					return
				}
				require.False(t, c.over())
				require.Contains(t, c.last().Reason, "another journal")
				require.False(t, old.over())
				require.Empty(t, d.tasks)
				e.Gone("a")
				<-c.done
				isLost(t, c.err)
				<-old.done
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

// A daemon with another journal cannot close a key either: what runs under it is none of
// its business. The one with the right journal does, when it is back.
func TestForeignJournalClosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, c := running(t, remote.Config{})
		right := d.tasks
		d.restart(func(h *wire.Health) { d.tasks, h.Journal = map[string]*task{}, "j2" })
		sleep(time.Minute)
		c.cancel(context.Canceled)
		sleep(time.Minute)
		require.False(t, c.over(), "%v", c.err)
		d.restart(func(h *wire.Health) { d.tasks, h.Journal = right, "j1" })
		sleep(time.Minute)
		require.True(t, c.over())
		require.Equal(t, 7, c.result.ExitCode)
	})
}

func TestForeignJournalIsReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		d.health.Journal = "j2"
		e := open(t, remote.Config{}, d)
		synctest.Wait()
		c := start(t, e, "a", "k1", resumed, func(c *call) { c.Ref = "j1/b1/p7" })
		sleep(time.Minute)
		require.False(t, c.over())
		require.Empty(t, d.tasks)
		d.restart(func(h *wire.Health) { h.Journal = "j1" })
		sleep(time.Minute)
		require.Contains(t, d.tasks, "k1")
	})
}

func TestEphemeral(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		d.health.Journal = ""
		refusing := open(t, remote.Config{}, d)
		synctest.Wait()
		require.Contains(t, refusing.Nodes()[0].Trouble, "no journal")

		e := open(t, remote.Config{Ephemeral: true}, d)
		require.False(t, e.Durable())
		c := start(t, e, "a", "k1")
		synctest.Wait()
		d.completes(t, c)
		synctest.Wait()
		require.Equal(t, 1, d.count("POST /api/v1/ack"), "nobody else does")
		require.Zero(t, e.Kept())

		c = start(t, e, "a", "k2")
		stopped := start(t, e, "a", "k3")
		synctest.Wait()
		stopped.cancel(executor.ErrDetach)
		<-stopped.done
		require.Equal(t, 7, stopped.result.ExitCode, "it does not outlive the engine")
		d.restart(func(*wire.Health) { d.tasks = map[string]*task{} })
		<-c.done
		isLost(t, c.err)
	})
}

// What another session closed and forgot is closed, whatever was known before.
func TestClosedByOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, c := running(t, remote.Config{})
		d.set(func() {
			d.moved[d.tasks["k1"].session] = []string{"k1"}
			d.tasks["k1"].session = "other"
			d.tasks["k1"].state = wire.State{Key: "k1", State: wire.Closed}
		})
		<-c.done
		isLost(t, c.err)
	})
}

// A node that comes back is not waited for past the end of leases.
func TestBackoffIsShorterThanTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		e := open(t, remote.Config{Lease: 12 * time.Second}, d)
		start(t, e, "a", "k1")
		synctest.Wait()
		d.leaves()
		sleep(10 * time.Minute)
		before := d.count("POST /api/v1/renew")
		d.set(func() { d.cut = false })
		sleep(4 * time.Second)
		require.Greater(t, d.count("POST /api/v1/renew"), before)
	})
}

// What a daemon says of itself before it says what is whose does not count what is
// this engine's as taken by others.
func TestReconnectingTakesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		e := open(t, remote.Config{}, d)
		synctest.Wait()
		taken := 0
		defer e.Allocator().Notify(func() {
			if n := e.Allocator().Nodes(); len(n) > 0 && n[0].Taken != nil {
				taken++
			}
		})()
		d.set(func() {
			d.health.Capacity.Free, d.health.Capacity.Own = cores(1), cores(3)
		})
		d.hangUp()
		sleep(time.Minute)
		require.Zero(t, taken)
	})
}
