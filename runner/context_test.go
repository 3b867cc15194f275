package runner_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner"
)

// The contexts of attempts have a method AfterFunc that is context.AfterFunc at a
// lower price, whatever else is done with them.
func TestAfterFunc(t *testing.T) {
	t.Parallel()
	afterFunc := func(ctx context.Context, f func()) (stop func() bool) {
		return ctx.(interface{ AfterFunc(f func()) func() bool }).AfterFunc(f)
	}
	none := func(context.Context) {}
	look := func(ctx context.Context) { _ = ctx.Done() }
	for name, tc := range map[string]struct{ before, between, after func(context.Context) }{
		"nobody looks":    {none, none, none},
		"looked at first": {look, none, none},
		"looked at later": {none, look, none},
		"looked at last":  {none, none, look},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var called [3]int
				ex := &recorder{do: func(ctx context.Context, _ *attempt) (result, error) {
					tc.before(ctx)
					ended := make(chan struct{})
					first := afterFunc(ctx, func() { called[0]++ })
					tc.between(ctx)
					stopped := afterFunc(ctx, func() { called[1]++ })
					afterFunc(ctx, func() { close(ended) })
					tc.after(ctx)
					require.NoError(t, ctx.Err())
					require.True(t, stopped())
					require.False(t, stopped())
					<-ended
					synctest.Wait()
					require.Equal(t, [3]int{1, 0, 0}, called)
					require.False(t, first())
					require.ErrorIs(t, ctx.Err(), context.Canceled)
					require.ErrorIs(t, context.Cause(ctx), executor.ErrDetach)
					<-ctx.Done()
					// It has ended, so this is called at once.
					late := make(chan struct{})
					stop := afterFunc(ctx, func() { close(late) })
					<-late
					require.False(t, stop())
					return result{}, context.Cause(ctx)
				}}
				r := runner.Runner{Executor: lasting{ex}}
				h, err := r.Start(t.Context(), tasks(task("a")))
				require.NoError(t, err)
				synctest.Wait()
				require.NoError(t, h.Detach(t.Context()))
				_, err = h.Wait(t.Context())
				require.ErrorIs(t, err, runner.ErrInterrupted)
			})
		})
	}
}

// With the end of an attempt its context ends, and what is to be called then is.
func TestAfterFuncAfterTheAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		called := 0
		ex := executor.RunFunc(func(ctx context.Context, _ *attempt) (result, error) {
			ctx.(interface{ AfterFunc(f func()) func() bool }).AfterFunc(func() { called++ })
			return result{}, nil
		})
		_, err := (&runner.Runner{Executor: ex}).Run(t.Context(), tasks(task("a")))
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, 1, called)
	})
}
