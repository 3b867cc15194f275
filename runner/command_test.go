package runner_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/runner"
)

func TestKillHoldReleaseRetry(t *testing.T) { // R10
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var kill atomic.Bool
		kill.Store(true)
		ex := &recorder{do: func(ctx context.Context, a *attempt) (result, error) {
			if a.Task == "long" && kill.Load() {
				<-ctx.Done()
				return result{ExitCode: -1, Signal: "SIGTERM"}, nil
			}
			return result{}, nil
		}}
		d := tasks(task("long"), task("after", "long"), task("held"))
		d.Tasks[0].MaxRetries = 5
		h, err := (&runner.Runner{Executor: ex}).Start(t.Context(), d)
		require.NoError(t, err)
		require.NoError(t, h.Hold(t.Context(), "after"))
		synctest.Wait()
		require.NoError(t, h.Kill(t.Context(), "long"))
		synctest.Wait()
		require.Equal(t, runner.Killed, states(h.Snapshot())["long"])
		<-time.After(time.Hour) // nothing is held that could start: it closes
		report, err := h.Wait(t.Context())
		require.Error(t, err)
		require.Equal(t, runner.RunFailed, report.State)
		require.Equal(t, runner.Skipped, states(report)["after"])
		require.ErrorIs(t, h.Kill(t.Context(), "long"), runner.ErrOver)
		require.ErrorIs(t, h.Kill(t.Context(), "nobody"), runner.ErrOver)
	})
}

func TestHoldKeepsTheRunOpen(t *testing.T) { // R10
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ex := &recorder{}
		d := &dag.DAG{
			Parameters: dag.Parameters{"X": dag.List("p", "q", "r")},
			Tasks: []dag.Task{
				{Name: "gate", NotBefore: time.Now().Add(time.Hour)},
				{Name: "m", Parents: []string{"gate"}, Job: dag.Command("run", "{{X}}")},
			},
		}
		h, err := (&runner.Runner{Executor: ex}).Start(t.Context(), d)
		require.NoError(t, err)
		require.NoError(t, h.Hold(t.Context(), "m_2"))
		why, err := h.Why("m_2")
		require.NoError(t, err)
		require.Len(t, why, 2)
		<-time.After(2 * time.Hour)
		synctest.Wait()
		require.Equal(t, []string{"m_1", "m_3"}, ex.order())
		require.Equal(t, runner.RunRunning, h.Snapshot().State)
		require.NoError(t, h.Release(t.Context(), "m_2"))
		_, err = h.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"m_1", "m_3", "m_2"}, ex.order())
	})
}

func TestPauseAndContinue(t *testing.T) { // R10
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ex := &recorder{do: func(context.Context, *attempt) (result, error) {
			<-time.After(time.Minute)
			return result{}, nil
		}}
		d := tasks(task("a"), task("b", "a"))
		h, err := (&runner.Runner{Executor: ex}).Start(t.Context(), d)
		require.NoError(t, err)
		synctest.Wait() // a runs
		require.NoError(t, h.Pause(t.Context()))
		<-time.After(time.Hour)
		require.Equal(t, []string{"a"}, ex.order())
		require.NoError(t, h.Continue(t.Context()))
		_, err = h.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b"}, ex.order())
	})
}

func TestAbortClosesTheRun(t *testing.T) { // R10
	t.Parallel()
	started := make(chan struct{})
	ex := &recorder{do: func(ctx context.Context, _ *attempt) (result, error) {
		close(started)
		<-ctx.Done()
		return result{}, context.Cause(ctx)
	}}
	h, err := (&runner.Runner{Executor: ex}).Start(t.Context(), tasks(task("a"), task("b", "a")))
	require.NoError(t, err)
	<-started
	require.NoError(t, h.Abort(t.Context(), "wrong data"))
	report, err := h.Wait(t.Context())
	require.ErrorIs(t, err, runner.ErrAborted)
	require.Equal(t, runner.RunKilled, report.State)
	require.Equal(t, map[string]runner.State{
		"a": runner.Killed, "b": runner.Skipped,
	}, states(report))
}
