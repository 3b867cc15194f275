package runner_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog/memlog"
	"github.com/daggy-go/daggy/statelog/statelogtest"
)

// Many callers ensure the same run at once: it is run once, and all of them
// have a Handle that works at once.
func TestEnsureFromManyGoroutines(t *testing.T) { // R8
	t.Parallel()
	for round := range 50 {
		ex := &recorder{}
		r := &runner.Runner{Executor: ex, Log: memlog.New()}
		d := tasks(task("a"), task("b", "a"))
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				take := func() (*runner.Handle, error) { return r.Ensure(t.Context(), "x", d) }
				h, err := take()
				if err != nil {
					t.Error(round, i, err)
					return
				}
				_ = h.Snapshot()
				if _, err := h.Wait(t.Context()); err != nil {
					t.Error(round, i, err)
				}
			})
		}
		wg.Wait()
		require.Equal(t, []string{"a", "b"}, ex.order())
	}
}

// Callers who meet while a run is being opened do not get half a Handle, nor
// one of another definition, nor wait for ever when opening it fails.
func TestEnsureWhileOpening(t *testing.T) { // R8, R9
	t.Parallel()
	for name, tc := range map[string]struct {
		fault statelogtest.Fault
		other *dag.DAG
		err   error
	}{
		"works":              {},
		"first append fails": {fault: statelogtest.Fault{Err: errStore}},
		"other definition":   {other: tasks(task("z")), err: runner.ErrDefinitionChanged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				log := newWitness(true,
					func(_ context.Context, a statelogtest.Append) statelogtest.Fault {
						if a.N == 1 {
							<-gate
							return tc.fault
						}
						return statelogtest.Fault{}
					})
				ex := &recorder{}
				r := &runner.Runner{Executor: ex, Log: log}
				d := tasks(task("a"), task("b", "a"))
				first := make(chan error, 1)
				go func() {
					_, err := r.Ensure(t.Context(), "x", d)
					first <- err
				}()
				synctest.Wait()
				second := make(chan error, 1)
				go func() {
					mine := d
					if tc.other != nil {
						mine = tc.other
					}
					h, err := r.Ensure(t.Context(), "x", mine)
					if err == nil {
						_ = h.Snapshot()
						_, err = h.Wait(t.Context())
					}
					second <- err
				}()
				// A third one does not want to wait that long.
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := r.Resume(ctx, "x")
				require.Error(t, err)
				close(gate)
				require.ErrorIs(t, <-first, tc.fault.Err)
				require.ErrorIs(t, <-second, tc.err)
				if h, err := r.Ensure(t.Context(), "x", d); err == nil {
					_, err = h.Wait(t.Context())
					require.NoError(t, err)
				}
				require.Equal(t, []string{"a", "b"}, ex.order())
			})
		})
	}
}

// A ctx that has ended starts nothing.
func TestContextThatHasEnded(t *testing.T) { // R5, R8
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, r := range map[string]*runner.Runner{
		"own log": {}, "memlog": {Log: memlog.New()}, "waits": {Log: newWitness(true, nil)},
	} {
		ex := &recorder{}
		r.Executor = ex
		report, err := r.Run(ctx, tasks(task("a")))
		require.ErrorIs(t, err, context.Canceled, name)
		require.NotNil(t, report, name)
		require.Empty(t, ex.order(), name)
		require.NotEqual(t, runner.RunCompleted, report.State, name)
	}
}

// A DAG can be used by any number of runs at once, and altered after Start.
func TestDefinitionIsNotKept(t *testing.T) { // R8
	t.Parallel()
	d := &dag.DAG{
		Parameters: dag.Parameters{"X": dag.List("p", "q"), "S": dag.Scalar("s")},
		JobDefaults: dag.Job{Environment: []string{"A={{S}}"}, Options: map[string]any{
			"o": []any{"{{X}}", map[string]any{"k": []string{"v"}}},
		}},
		PoolOptions: map[string]any{"queue": "short"},
		Tags:        map[string]string{"owner": "me"},
		Tasks: []dag.Task{
			task("gate"),
			{Name: "m", Parents: []string{"gate"}, Job: dag.Command("run", "{{X}}", "{{S}}")},
			{Name: "plain", Parents: []string{"m"}, Job: dag.Command("run", "plain")},
		},
	}
	gate := make(chan struct{})
	var wrong atomic.Value
	ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
		if a.Task == "gate" {
			<-gate
			return result{}, nil
		}
		for _, s := range append(append([]string(nil), a.Job.Command...), a.Job.Environment...) {
			if s == "altered" {
				wrong.Store(a.Instance + " has " + s)
			}
		}
		o, _ := a.Job.Options["o"].([]any)
		if a.PoolOptions["queue"] != "short" || len(o) != 2 || o[0] == "altered" ||
			o[1].(map[string]any)["k"].([]string)[0] != "v" {
			wrong.Store(a.Instance)
		}
		return result{}, nil
	}}
	r := &runner.Runner{Executor: ex}
	handles := make([]*runner.Handle, 4)
	var wg sync.WaitGroup
	for i := range handles {
		wg.Go(func() {
			var err error
			if handles[i], err = r.Start(t.Context(), d); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	d.Parameters["X"] = dag.List("altered", "altered", "altered")
	d.JobDefaults.Environment[0] = "altered"
	d.JobDefaults.Options["o"].([]any)[0] = "altered"
	d.JobDefaults.Options["o"].([]any)[1].(map[string]any)["k"].([]string)[0] = "altered"
	d.PoolOptions["queue"] = "altered"
	d.Tags["owner"] = "altered"
	for i := range d.Tasks {
		for j := range d.Tasks[i].Job.Command {
			d.Tasks[i].Job.Command[j] = "altered"
		}
		d.Tasks[i].Name, d.Tasks[i].Parents = "altered", nil
	}
	close(gate)
	for _, h := range handles {
		report, err := h.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, 6, report.Counts[runner.Completed])
	}
	require.Nil(t, wrong.Load())
}
