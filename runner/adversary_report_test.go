package runner_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
)

// The error of a run is bounded, and says how much it leaves out.
func TestManyFailures(t *testing.T) { // R1
	t.Parallel()
	d := tasks()
	for i := range 250 {
		d.Tasks = append(d.Tasks, task(fmt.Sprint("t", i)))
	}
	ex := &recorder{do: func(context.Context, *attempt) (result, error) { return fail(1) }}
	report, err := (&runner.Runner{Executor: ex}).Run(t.Context(), d)
	failed, ok := errors.AsType[*runner.RunError](err)
	require.True(t, ok)
	require.Equal(t, 250, failed.Failed)
	require.ErrorContains(t, err, "and 150 more")
	require.Equal(t, 250, report.Counts[runner.Failed])
	agrees(t, report)
}

// The same seed gives the same delays, whatever else is different.
func TestSeedsDecideDelays(t *testing.T) { // R3, R7
	t.Parallel()
	delays := func(t *testing.T, seed uint64, slots int) []time.Duration {
		t.Helper()
		var found []time.Duration
		synctest.Test(t, func(t *testing.T) {
			ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
				if a.Number < 4 {
					return result{}, &executor.LostError{Err: errors.New("gone")}
				}
				return result{}, nil
			}}
			r := &runner.Runner{Executor: ex, Seed: seed, MaxRunning: slots}
			h, err := r.Start(t.Context(), tasks(task("a"), task("b"), task("c", "a")))
			require.NoError(t, err)
			byTask := map[string][]time.Duration{}
			for ev, err := range h.Events(t.Context(), 0) {
				require.NoError(t, err)
				if ev.Kind == statelog.Lost {
					byTask[ev.Task] = append(byTask[ev.Task], ev.Delay)
				}
			}
			_, err = h.Wait(t.Context())
			require.NoError(t, err)
			found = slices.Concat(byTask["a"], byTask["b"], byTask["c"])
		})
		return found
	}
	first := delays(t, 7, 1)
	require.Len(t, first, 9)
	require.Equal(t, first, delays(t, 7, 3))
	require.NotEqual(t, first, delays(t, 8, 1))
}

// Observers may call the Handle, and slow or abandoned readers hold nobody up.
func TestObserversCallTheHandle(t *testing.T) { // R11, R10
	t.Parallel()
	for _, waits := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			var ended []string
			ctx := context.Background()
			o := runner.Observer{
				AttemptEnded: func(h *runner.Handle, ev runner.Event) {
					mu.Lock()
					ended = append(ended, ev.Instance)
					mu.Unlock()
					if ev.Task == "a" {
						_ = h.Kill(ctx, "c")
					}
					_ = h.Snapshot()
					_, _ = h.Why("c")
					for range h.Events(ctx, 0) { //nolint:errcheck // one is enough
						break
					}
				},
				RunClosed: func(h *runner.Handle, _ runner.Event) {
					if !errors.Is(h.Kill(ctx, "a"), runner.ErrOver) {
						panic("a closed run was changed")
					}
				},
			}
			r := &runner.Runner{
				Executor: &recorder{}, Log: newWitness(waits, nil),
				Observers: []runner.Observer{o},
			}
			d := tasks(task("a"), task("c"), task("d", "c"))
			d.Tasks[1].NotBefore = time.Now().Add(time.Hour)
			report, err := r.Run(t.Context(), d)
			require.Error(t, err)
			require.Equal(t, runner.Killed, states(report)["c"])
			require.Equal(t, []string{"a"}, ended)
		})
	}
}

// A generated generator, a multiplied one, and children that have started.
func TestGeneratorChains(t *testing.T) { // D7, D8
	t.Parallel()
	ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
		out := "{}"
		switch a.Task {
		case "gen":
			out = fmt.Sprintf(`{"sub%s": {"command": ["sub", "%s"], "isGenerator": true,
				"children": ["last"]}}`, a.Job.Command[1], a.Job.Command[1])
		case "subp", "subq":
			out = fmt.Sprintf(`{"leaf%s": {"command": ["leaf"], "children": ["last", "early"]}}`,
				a.Job.Command[1])
		}
		_, err := a.Stdout.Write([]byte(out))
		return result{}, err
	}}
	d := tasks(task("early"), task("gen", "early"), task("last", "gen"))
	d.Tasks[1].Generator = true
	d.Tasks[1].Job.Command = []string{"gen", "{{X}}"}
	d.Parameters = dag.Parameters{"X": dag.List("p", "q")}
	_, err := (&runner.Runner{Executor: ex, MaxRunning: 1}).Run(t.Context(), d)
	// An edge back to what everything comes from is a cycle.
	failed, ok := errors.AsType[*runner.TaskError](err)
	require.True(t, ok)
	require.Equal(t, statelog.BadOutput, failed.Class)
	require.Equal(t, []string{"early", "gen_1", "gen_2", "subp", "subq"}, ex.order())
}

// picky panics at some jobs.
type picky struct{ recorder }

func (*picky) Validate(j dag.Job) error {
	if len(j.Command) > 0 && j.Command[0] == "bad" {
		panic("what a job")
	}
	return nil
}

// An executor that panics when it is asked about a job refuses it.
func TestPanicInValidate(t *testing.T) { // R4, D7
	t.Parallel()
	ex := &picky{}
	ex.do = func(_ context.Context, a *attempt) (result, error) {
		_, err := a.Stdout.Write([]byte(`{"x": {"command": ["bad"]}}`))
		return result{}, err
	}
	r := &runner.Runner{Executor: ex}
	d := tasks(task("gen"))
	d.Tasks[0].Generator = true
	_, err := r.Run(t.Context(), d)
	failed, ok := errors.AsType[*runner.TaskError](err)
	require.True(t, ok)
	require.Equal(t, statelog.BadOutput, failed.Class)
	d.Tasks[0].Job.Command = []string{"bad"}
	_, err = r.Start(t.Context(), d)
	require.ErrorIs(t, err, dag.ErrInvalid)
}
