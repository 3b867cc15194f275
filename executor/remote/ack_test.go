package remote_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

func TestForget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := newDaemon(t, "a"), newDaemon(t, "b")
		e := open(t, remote.Config{}, a, b)
		synctest.Wait()
		c := start(t, e, "a", "k1")
		synctest.Wait()
		a.ends("k1", wire.Outcome{Inline: true})
		<-c.done
		require.NoError(t, e.Forget(t.Context(), "k1"))
		require.Equal(t, wire.Closed, a.task(t, "k1").state.State)
		require.Zero(t, b.count("POST /api/v1/ack"))

		// A key of an engine before this one can be anywhere.
		b.leaves()
		synctest.Wait()
		require.NoError(t, e.Forget(t.Context(), "k0", "No Key"))
		require.Equal(t, 2, a.count("POST /api/v1/ack"))
		b.set(func() { b.cut = false })
		sleep(time.Minute)
		require.Equal(t, wire.Closed, b.task(t, "k0").state.State)

		// One that is silent is waited for, until it is taken for unreachable.
		a.setSilent(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorContains(t, e.Forget(ctx, "k3"), "nodes that have not answered: a")
		require.NoError(t, e.Forget(t.Context(), "k4"))
		a.setSilent(false)
		sleep(time.Minute)
		require.Equal(t, wire.Closed, a.task(t, "k4").state.State)
	})
}

// Nobody waits for what a node that is gone will never answer.
func TestForgetOfANodeThatGoes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		calls int // one is on its way, others wait
		leave func(*remote.Executor)
	}{
		"gone":    {2, func(e *remote.Executor) { e.Gone("a") }},
		"removed": {1, func(e *remote.Executor) { e.Remove("a") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newDaemon(t, "a")
				e := open(t, remote.Config{}, a)
				synctest.Wait()
				a.setSilent(true)
				done := make(chan error, test.calls)
				for range test.calls {
					go func() { done <- e.Forget(t.Context(), "k1") }()
					synctest.Wait()
				}
				test.leave(e)
				synctest.Wait()
				require.Len(t, done, test.calls)
				a.setSilent(false)
			})
		})
	}
}

// A node that is gone leaves, and can be added again, whatever is forgotten while others
// still learn that it is gone.
func TestForgetWhileANodeGoes(t *testing.T) {
	t.Parallel()
	for name, ephemeral := range map[string]bool{"with journals": false, "without": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newDaemon(t, "a")
				e := open(t, remote.Config{Ephemeral: ephemeral}, a)
				first := start(t, e, "a", "k1")
				busy := make(chan struct{})
				second := start(t, e, "a", "k2", func(c *call) {
					c.OnReport = func(s executor.Status) {
						if s.Reason != "" {
							<-busy
						}
					}
				})
				synctest.Wait()
				a.leaves()
				synctest.Wait()
				e.Gone("a")
				<-first.done
				isLost(t, first.err)
				require.NoError(t, e.Forget(t.Context(), "k1"))
				close(busy)
				<-second.done
				isLost(t, second.err)
				synctest.Wait()
				require.Empty(t, e.Nodes())
				require.NoError(t, e.Add(a.node()))
			})
		})
	}
}

// All of many keys are acknowledged, although some have not ended.
func TestForgetMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newDaemon(t, "a")
		e := open(t, remote.Config{}, a)
		synctest.Wait()
		c := start(t, e, "a", "open")
		synctest.Wait()
		keys := []string{"open"}
		for i := range wire.MaxKeys {
			keys = append(keys, "k"+strconv.Itoa(i))
		}
		require.NoError(t, e.Forget(t.Context(), keys...))
		require.Equal(t, wire.Closed, a.task(t, keys[wire.MaxKeys]).state.State)
		c.cancel(executor.ErrDetach)
		<-c.done
	})
}

// The answer can be read, although it names very many keys.
func TestForgetManyThatAreOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newDaemon(t, "a")
		e := open(t, remote.Config{}, a)
		synctest.Wait()
		keys := make([]string, 30_000)
		a.set(func() {
			for i := range keys {
				keys[i] = strings.Repeat("k", 50) + strconv.Itoa(i)
				a.tasks[keys[i]] = &task{state: wire.State{State: wire.Running}}
			}
		})
		require.NoError(t, e.Forget(t.Context(), keys...))
		for range 3 {
			sleep(10 * time.Second)
		}
		require.Less(t, a.count("POST /api/v1/ack"), 100)
		require.Empty(t, e.Nodes()[0].Trouble)
	})
}

// Keys that have not ended are asked for again later, and nobody else waits for that.
func TestForgetWaitsForNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newDaemon(t, "a")
		e := open(t, remote.Config{}, a)
		start(t, e, "a", "open")
		c := start(t, e, "a", "k1")
		synctest.Wait()
		a.ends("k1", wire.Outcome{Inline: true})
		<-c.done
		require.NoError(t, e.Forget(t.Context(), "open"))
		before := time.Now()
		require.NoError(t, e.Forget(t.Context(), "k1"))
		require.Zero(t, time.Since(before))
		require.Equal(t, 2, a.count("POST /api/v1/ack"), "not of what is open")
		require.Equal(t, wire.Closed, a.task(t, "k1").state.State)
		a.ends("open", wire.Outcome{Inline: true})
		sleep(time.Minute)
		require.Equal(t, wire.Closed, a.task(t, "open").state.State)
	})
}
