package remote_test

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

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

// An answer that was under way when the daemon ended says nothing of the one after it, whose
// revisions begin anew.
func TestAnswerOfTheDaemonBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, c := running(t, remote.Config{})
		arrive := make(chan struct{})
		d.set(func() {
			d.rev = 1000
			d.alter("k1", func(*task) {})
			late := d.tasks["k1"].state
			d.between = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodDelete {
					return false
				}
				<-arrive
				d.set(func() { d.between = nil })
				d.write(w, &late)
				return true
			}
		})
		c.cancel(context.Canceled)
		synctest.Wait()
		d.set(func() {
			d.health.Start, d.rev = "s2", 0
			d.alter("k1", func(*task) {})
		})
		sleep(time.Second)
		close(arrive)
		sleep(time.Minute)
		require.True(t, c.over())
		require.Equal(t, 7, c.result.ExitCode)
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

// A daemon with another journal cannot close a key either: what runs under it is none of
// its business, whether it was cancelled before that one came or later. The one with the
// right journal closes it, when it is back.
func TestForeignJournalClosesNothing(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]bool{"while it is away": true, "later": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d, _, c := running(t, remote.Config{})
				right := d.tasks
				if away {
					d.set(func() { d.cut = true })
					d.hangUp()
					sleep(time.Second)
					c.cancel(context.Canceled)
					sleep(time.Second)
				}
				d.restart(func(h *wire.Health) {
					d.cut, d.tasks, h.Journal = false, map[string]*task{}, "j2"
				})
				sleep(time.Minute)
				if !away {
					c.cancel(context.Canceled)
					sleep(time.Minute)
				}
				require.False(t, c.over(), "%v", c.err)
				require.False(t, d.knows("k1"))
				d.restart(func(h *wire.Health) { d.tasks, h.Journal = right, "j1" })
				sleep(time.Minute)
				require.True(t, c.over())
				require.Equal(t, 7, c.result.ExitCode)
			})
		})
	}
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

// replace makes a daemon with another journal of this one, so that whoever has a stream
// does not notice: something in between holds it.
func (d *daemon) replace() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.health.Start += "+"
	d.health.Journal, d.tasks = "j2", map[string]*task{}
}

func (d *daemon) knows(key string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tasks[key] != nil
}

// Nobody has noticed yet that the daemon is another: it does not start what the one
// before may have started.
func TestReplacedUnnoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, e, old := submitted(t, remote.Config{})
		d.set(func() { d.lose = 1 })
		lost := start(t, e, "a", "k2")
		synctest.Wait()
		require.True(t, d.knows("k2"))
		d.replace()
		sleep(5 * time.Second)
		require.False(t, d.knows("k1") || d.knows("k2"))
		for _, c := range []*call{old, lost} {
			require.False(t, c.over())
			require.Contains(t, c.last().Reason, "another journal")
		}
		fresh := start(t, e, "a", "k3")
		synctest.Wait()
		d.completes(t, fresh)
		e.Gone("a")
		<-old.done
		<-lost.done
	})
}

// What the daemon before certainly never had is run by the one that is there.
func TestReplacedBeforeTheFirstRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, e, old := submitted(t, remote.Config{})
		sleep(5 * time.Second) // what goes on is over
		d.replace()
		fresh := start(t, e, "a", "k2")
		sleep(4 * time.Second)
		require.False(t, d.knows("k1"))
		d.completes(t, fresh)
		e.Gone("a")
		<-old.done
	})
}

// What was certainly never sent is not asked of the daemon before.
func TestReplacedWhileItWasAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		e := open(t, remote.Config{}, d)
		synctest.Wait()
		d.set(func() { d.cut = true })
		c := start(t, e, "a", "k1")
		sleep(time.Second)
		require.Zero(t, d.count("submission"))
		d.restart(func(h *wire.Health) { d.cut, h.Journal = false, "j2" })
		sleep(time.Minute)
		d.completes(t, c)
	})
}

// Both daemons are there, and only the stream has moved: nothing is said any more to the
// one before.
func TestReplacedForTheStreamAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		before, after := newDaemon(t, "a"), newDaemon(t, "a")
		after.health.Journal, after.health.Start = "j2", "s2"
		var now atomic.Pointer[daemon]
		now.Store(before)
		node := before.node()
		node.Dial = func(ctx context.Context) (net.Conn, error) { return now.Load().dial(ctx) }
		e := open(t, remote.Config{Nodes: []remote.Node{node}})
		synctest.Wait()
		first := start(t, e, "a", "k1")
		synctest.Wait()
		before.completes(t, first)
		now.Store(after)
		before.set(func() { before.health.Start += "+" }) // ends the stream
		sleep(500 * time.Millisecond)
		c := start(t, e, "a", "k2")
		sleep(5 * time.Second)
		require.False(t, before.knows("k2"))
		after.completes(t, c)
	})
}

// Something in between sends requests and the stream to different daemons, always: that is
// not asked for ever more.
func TestAlwaysElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		d.between = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost {
				return false
			}
			d.elsewhere(w)
			return true
		}
		e := open(t, remote.Config{}, d)
		c := start(t, e, "a", "k1")
		<-c.done
		isLost(t, c.err) // and can go elsewhere
		start(t, e, "a", "k2")
		sleep(10 * time.Minute)
		require.Less(t, d.count("GET /api/v1/results"), 200)
	})
}

// What waited for a connection, and was cancelled, when the daemon became another has
// nothing to do with the one before.
func TestReplacedDuringTheDial(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		node := d.node()
		var slow atomic.Bool
		node.Dial = func(ctx context.Context) (net.Conn, error) {
			if slow.CompareAndSwap(true, false) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return d.dial(ctx)
		}
		e := open(t, remote.Config{Nodes: []remote.Node{node}})
		synctest.Wait()
		d.server.SetKeepAlivesEnabled(false)
		slow.Store(true)
		c := start(t, e, "a", "k1")
		synctest.Wait()
		c.cancel(context.Canceled)
		d.restart(func(h *wire.Health) { h.Journal = "j2" })
		sleep(time.Minute)
		require.True(t, c.over())
		require.ErrorIs(t, c.err, context.Canceled)
	})
}
