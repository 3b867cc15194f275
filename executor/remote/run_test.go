package remote_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, c := submitted(t, remote.Config{})
		require.Equal(t, "a", d.task(t, "k1").sub.Node)
		require.Zero(t, d.task(t, "k1").sub.Lease)
		d.tell("k1", func(task *task) {
			task.state.State, task.state.Ref = wire.Running, "p7"
			task.out[0] = []byte("out")
		})
		synctest.Wait()
		require.Equal(t, executor.Status{Running: true, Ref: "j1/b1/p7", Node: "a"}, c.last())
		require.Equal(t, "out", c.stdout.String(), "while it runs")
		d.tell("k1", func(task *task) {
			task.out[0] = append(task.out[0], "put"...)
			task.out[1] = []byte("err")
		})
		d.ends("k1", wire.Outcome{Result: executor.Result{ExitCode: 3}, Inline: true})
		<-c.done
		require.NoError(t, c.err)
		require.Equal(t, executor.Result{ExitCode: 3, Node: "a"}, c.result)
		require.Equal(t, "output", c.stdout.String())
		require.Equal(t, "err", c.stderr.String())
	})
}

func TestStopping(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cause error
		want  executor.Result
	}{
		"cancelled": {context.Canceled, executor.Result{ExitCode: 7, Node: "a"}},
		"time limit": {executor.ErrTimeLimit, executor.Result{
			ExitCode: 7, Node: "a", Cause: executor.CauseTime,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, _, c := running(t, remote.Config{})
				c.cancel(test.cause)
				<-c.done
				require.NoError(t, c.err)
				require.Equal(t, test.want, c.result)
			})
		})
	}
}

func TestDetach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, c := submitted(t, remote.Config{})
		c.cancel(executor.ErrDetach)
		<-c.done
		require.ErrorIs(t, c.err, executor.ErrDetach)
		require.Zero(t, d.count("DELETE /api/v1/task/k1"))
		// Another engine finds it.
		other := open(t, remote.Config{}, d)
		again := start(t, other, "a", "k1", resumed)
		synctest.Wait()
		require.True(t, d.task(t, "k1").sub.Resumed)
		d.completes(t, again)
		require.Equal(t, 1, d.task(t, "k1").starts)
	})
}

func TestClosedKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		e := open(t, remote.Config{}, d)
		c := start(t, e, "a", "k1", func(c *call) { c.cancel(context.Canceled) })
		<-c.done
		require.ErrorIs(t, c.err, context.Canceled)
		require.Equal(t, 1, d.count("DELETE /api/v1/task/k1"))
		c = start(t, e, "a", "k1")
		<-c.done
		isLost(t, c.err)
	})
}
