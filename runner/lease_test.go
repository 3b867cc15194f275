package runner_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/runner"
)

func TestLeasesAreNeverExceeded(t *testing.T) { // E8, C2
	t.Parallel()
	slots := capacity.New(capacity.Node{Name: "n", Total: capacity.Resources{dag.Cores: 4}})
	var now, peak atomic.Int64
	ex := &recorder{slots: slots, do: func(_ context.Context, a *attempt) (result, error) {
		cores := max(1, a.Job.Resources[dag.Cores])
		for n := now.Add(cores); ; {
			p := peak.Load()
			if n <= p || peak.CompareAndSwap(p, n) {
				break
			}
		}
		runtime.Gosched()
		now.Add(-cores)
		if a.Node != "n" {
			return result{}, errors.New("no node")
		}
		return result{}, nil
	}}
	d := &dag.DAG{}
	for i := range 500 {
		tk := task(fmt.Sprint("t", i))
		if n := i % 5; n > 0 {
			tk.Job.Resources = dag.Resources{dag.Cores: int64(n)}
		}
		d.Tasks = append(d.Tasks, tk)
	}
	_, err := (&runner.Runner{Executor: ex}).Run(t.Context(), d)
	require.NoError(t, err)
	require.LessOrEqual(t, peak.Load(), int64(4))
	require.Zero(t, slots.Nodes()[0].Leases)
}

func TestImpossibleRequestStartsNothing(t *testing.T) { // R6
	t.Parallel()
	ex := &recorder{slots: capacity.New(capacity.Node{
		Name: "n", Total: capacity.Resources{dag.Cores: 4, dag.MemoryMB: 32768},
	})}
	d := tasks(task("ok"), task("big"))
	d.Tasks[1].Job.Resources = dag.Resources{dag.MemoryMB: 40960}
	_, err := (&runner.Runner{Executor: ex}).Run(t.Context(), d)
	require.ErrorIs(t, err, dag.ErrInvalid)
	refused, ok := errors.AsType[*capacity.RefusedError](err)
	require.True(t, ok)
	require.Equal(t, int64(32768), refused.Largest)
	require.Empty(t, ex.order())
}
