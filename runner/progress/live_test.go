package progress_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/sim"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/runner/progress"
)

// after waits in virtual time.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func tasks(names ...string) []dag.Task {
	var list []dag.Task
	for _, name := range names {
		list = append(list, dag.Task{Name: name, Job: dag.Command("work", name)})
	}
	return list
}

func TestLiveBlock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := new(screen)
		display := progress.New(out, progress.Config{Mode: progress.Live, Width: 60, Running: 2})
		list := tasks("one", "two", "three", "four", "bad", "last")
		list[4].MaxRetries, list[4].RetryInterval = 1, time.Minute
		list[5].Parents = []string{"bad"}
		r := runner.Runner{
			Executor: sim.New(sim.Config{Script: map[string]sim.Behaviour{
				"one":   {Duration: 10 * time.Second},
				"two":   {Duration: 20 * time.Second},
				"three": {Duration: 5 * time.Minute},
				"four":  {Duration: 5 * time.Minute},
				"bad":   {Duration: 15 * time.Second, ExitCode: 3, Message: "no such file"},
			}}),
			Observers: []runner.Observer{display.Observer()},
		}
		h, err := r.Start(t.Context(), &dag.DAG{Tasks: list})
		require.NoError(t, err)
		after(12*time.Second + refresh)
		require.Len(t, out.see(t), 5)
		t.Log(out.text())
		after(18 * time.Second)
		t.Log(out.text())
		_, err = h.Wait(t.Context())
		require.Error(t, err)
		require.NoError(t, display.Wait(context.Background()))
		t.Log(out.text())
		require.NoError(t, display.Close())
	})
}

const refresh = 100 * time.Millisecond
