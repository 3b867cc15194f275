package runner_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
)

func TestRetriesTakeTheirInterval(t *testing.T) { // R3
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var times []time.Time
		ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
			times = append(times, time.Now())
			if a.Number < 3 {
				return fail(1)
			}
			return result{}, nil
		}}
		d := tasks(task("a"))
		d.Tasks[0].MaxRetries, d.Tasks[0].RetryInterval = 2, time.Hour
		report, err := (&runner.Runner{Executor: ex}).Run(t.Context(), d)
		require.NoError(t, err)
		require.Equal(t, []time.Duration{time.Hour, time.Hour},
			[]time.Duration{times[1].Sub(times[0]), times[2].Sub(times[1])})
		a, _ := report.Task("a")
		require.Equal(t, 3, a.Attempts)
	})
}

func TestLostAttemptsHaveTheirOwnBudget(t *testing.T) { // R3, E3
	t.Parallel()
	for _, tc := range []struct {
		name   string
		losses int
		state  runner.State
	}{{"within", 3, runner.Completed}, {"beyond", 4, runner.Failed}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
					if a.Number <= tc.losses {
						return result{}, &executor.LostError{Err: errors.New("node died")}
					}
					return result{}, nil
				}}
				r := &runner.Runner{Executor: ex, Lost: runner.Backoff{Budget: 3}}
				report, err := r.Run(t.Context(), tasks(task("a")))
				a, _ := report.Task("a")
				require.Equal(t, tc.state, a.State)
				require.Equal(t, min(tc.losses+1, 4), a.Attempts)
				if tc.state == runner.Failed {
					failed, _ := errors.AsType[*runner.TaskError](err)
					require.Equal(t, statelog.Infrastructure, failed.Class)
				}
			})
		})
	}
}

func TestNotStartedIsTriedAgainUnderItsKey(t *testing.T) { // E4
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var keys []string
		ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
			keys = append(keys, a.Key)
			if len(keys) < 4 {
				return result{}, &executor.NotStartedError{
					RetryAfter: time.Minute, Err: errors.New("no descriptors"),
				}
			}
			return result{}, nil
		}}
		start := time.Now()
		report, err := (&runner.Runner{Executor: ex}).Run(t.Context(), tasks(task("a")))
		require.NoError(t, err)
		require.Len(t, keys, 4)
		require.Len(t, slices.Compact(keys), 1)
		require.Equal(t, 3*time.Minute, time.Since(start))
		a, _ := report.Task("a")
		require.Equal(t, 1, a.Attempts)
	})
}
