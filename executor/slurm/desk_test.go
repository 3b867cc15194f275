package slurm_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/slurm"
)

// What panics, or ends its goroutine, ends its attempt and no other.
func TestPanics(t *testing.T) {
	t.Parallel()
	const n = 2 * slurm.Clerks
	for name, bad := range map[string]func(executor.Status){
		"panic":  func(executor.Status) { panic("boo") },
		"Goexit": func(executor.Status) { runtime.Goexit() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{}
				queue := []string{"1|PENDING||other|Priority"}
				for i := range n {
					queue = append(queue, fmt.Sprintf("%d|PENDING||key-%d|Priority", i+2, i))
				}
				s.says(queue...)
				e, dir := setup(t, s)
				other := begin(t, e, attempt("other", dag.Command("true")))
				pass(time.Minute)
				for i := range n {
					a := attempt(fmt.Sprint("key-", i), dag.Command("true"))
					a.OnReport = bad
					start := time.Now() // virtual
					_, err := e.Run(t.Context(), a)
					var p *executor.PanicError
					require.ErrorAs(t, err, &p)
					require.Less(t, time.Since(start), slurm.DefaultInterval)
				}
				other.goesOn(t)
				write(t, dir, "exits", "other", reportOf1("other", 0, "-"))
				pass(time.Minute)
				require.True(t, other.over())
				require.NoError(t, other.err)
			})
		})
	}
}

// jam runs three times as many attempts as there are clerks, of which each holds the
// clerk who looks at it until over is called, which waits for them.
func jam(
	ctx context.Context, t *testing.T, e *slurm.Executor, prepare func(key string),
) (over func()) {
	t.Helper()
	const n = 3 * slurm.Clerks
	release := make(chan struct{})
	var stuck, ended atomic.Int32
	for i := range n {
		a := attempt(fmt.Sprint("key-", i), dag.Command("true"))
		a.OnReport = func(executor.Status) {
			stuck.Add(1)
			<-release
		}
		prepare(a.Key)
		go func() {
			_, _ = e.Run(ctx, a)
			ended.Add(1)
		}()
	}
	pass(time.Second)
	require.EqualValues(t, slurm.Clerks, stuck.Load())
	return func() {
		close(release)
		synctest.Wait()
		require.EqualValues(t, n, ended.Load())
	}
}

// Attempts that are stuck with who takes their reports, however many, do not keep
// others from going on, nor from being let go at once.
func TestStuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		s.says("1|PENDING||good|Priority", "2|PENDING||quiet|Priority")
		e, dir := setup(t, s)
		good := begin(t, e, attempt("good", dag.Command("true")))
		pass(time.Second) // or they would be an array
		quiet := begin(t, e, attempt("quiet", dag.Command("true")))
		pass(time.Minute)
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		over := jam(ctx, t, e, func(string) {})
		quiet.detach(t)
		require.ErrorIs(t, quiet.err, executor.ErrDetach)
		write(t, dir, "exits", "good", reportOf1("good", 0, "-"))
		pass(10 * slurm.DefaultInterval)
		require.True(t, good.over())
		require.NoError(t, good.err)
		cancel(executor.ErrDetach)
		over()
	})
}

// Nor do those whose jobs ended before: nothing is listed for them.
func TestStuckWithWhatHasEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, dir := setup(t, &script{})
		require.NoError(t, e.Validate(dag.Command("true")))
		over := jam(t.Context(), t, e, func(key string) {
			write(t, dir, "exits", key, reportOf1(key, 0, "-"))
		})
		write(t, dir, "exits", "good", reportOf1("good", 0, "-"))
		good := begin(t, e, attempt("good", dag.Command("true")))
		pass(10 * slurm.DefaultInterval)
		require.True(t, good.over())
		require.NoError(t, good.err)
		over()
	})
}

// A run that is looked at when it is told to let go is not looked at by two.
func TestDetachWhileLookedAt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, _ := setup(t, &script{})
		other := begin(t, e, attempt("other", dag.Command("true"))) // the last one waits
		pass(time.Second)
		ctx, cancel := context.WithCancelCause(t.Context())
		release := make(chan struct{})
		var reports int // the race detector sees two at once
		a := attempt("key", dag.Command("true"))
		a.OnReport = func(executor.Status) {
			reports++
			<-release
		}
		done := make(chan error, 1)
		go func() {
			_, err := e.Run(ctx, a)
			done <- err
		}()
		pass(time.Second)
		cancel(executor.ErrDetach)
		synctest.Wait()
		require.Empty(t, done)
		close(release)
		require.ErrorIs(t, <-done, executor.ErrDetach)
		require.Equal(t, 1, reports)
		other.detach(t)
	})
}
