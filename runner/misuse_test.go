package runner_test

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner"
)

func TestObserverThatEndsItsGoroutineIsDropped(t *testing.T) { // R4, R11
	t.Parallel()
	events := 0
	bad := runner.Observer{AttemptEnded: func(*runner.Handle, runner.Event) { runtime.Goexit() }}
	good := runner.Observer{Event: func(*runner.Handle, runner.Event) { events++ }}
	r := &runner.Runner{Executor: &recorder{}, Observers: []runner.Observer{good, bad, good}}
	_, err := r.Run(t.Context(), tasks(task("a"), task("b", "a")))
	require.NoError(t, err)
	require.Equal(t, 2*6, events)
}

func TestWriterThatOutlivesItsAttemptWritesNothing(t *testing.T) { // E6
	t.Parallel()
	var late io.Writer
	var lateErr error
	ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
		if a.Task == "a" {
			late = a.Stdout
			_, err := late.Write([]byte("of a"))
			return result{}, err
		}
		_, lateErr = late.Write([]byte("late"))
		return result{}, nil
	}}
	r := &runner.Runner{Executor: ex, MaxRunning: 1}
	report, err := r.Run(t.Context(), tasks(task("a"), task("b", "a")))
	require.NoError(t, err)
	require.ErrorIs(t, lateErr, os.ErrClosed)
	for name, want := range map[string]string{"a": "of a", "b": ""} {
		got, _ := report.Task(name)
		out, _ := got.Stdout()
		require.Equal(t, want, string(out))
	}
}

func TestFailFastGivesUpRetries(t *testing.T) { // R2
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
			if a.Task == "fatal" {
				<-time.After(time.Minute)
			}
			return fail(1)
		}}
		d := tasks(task("patient"), task("fatal"))
		d.Tasks[0].MaxRetries, d.Tasks[0].RetryInterval = 3, time.Hour
		report, err := (&runner.Runner{Executor: ex, FailFast: true}).Run(t.Context(), d)
		require.Error(t, err)
		require.Equal(t, map[runner.State]int{runner.Failed: 2}, report.Counts)
	})
}

func TestRetryOfAnActiveRun(t *testing.T) { // R10
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		broken.Store(true)
		ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
			if a.Task == "long" {
				<-time.After(time.Hour)
			} else if broken.Load() {
				return fail(1)
			}
			return result{}, nil
		}}
		r := &runner.Runner{Executor: ex}
		h, err := r.Ensure(t.Context(), "x", tasks(task("long"), task("a"), task("b", "a")))
		require.NoError(t, err)
		<-time.After(time.Minute)
		broken.Store(false)
		again, err := r.Retry(t.Context(), "x")
		require.NoError(t, err)
		require.Equal(t, h, again)
		_, err = r.Retry(t.Context(), "x", "long")
		require.ErrorIs(t, err, runner.ErrNothing)
		_, err = h.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"long", "a", "a", "b"}, ex.order())
	})
}

func TestOptionsThatHoldThemselvesAreRefused(t *testing.T) {
	t.Parallel()
	loop := map[string]any{}
	loop["again"] = loop
	for name, change := range map[string]func(*dag.DAG){
		"task":     func(d *dag.DAG) { d.Tasks[0].Job.Options = loop },
		"defaults": func(d *dag.DAG) { d.JobDefaults.Options = loop },
		"pool":     func(d *dag.DAG) { d.PoolOptions = loop },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := tasks(task("a"))
			change(d)
			_, err := (&runner.Runner{Executor: &recorder{}}).Run(t.Context(), d)
			require.ErrorIs(t, err, dag.ErrInvalid)
		})
	}
}

// once is an executor that finds something wrong once.
type once struct {
	recorder
	asked atomic.Bool
}

func (o *once) Validate(dag.Job) error {
	if o.asked.Swap(true) {
		return nil
	}
	return errors.New("not mounted yet")
}

func TestWhatIsWrongOnceIsReported(t *testing.T) {
	t.Parallel()
	_, err := (&runner.Runner{Executor: &once{}}).Run(t.Context(), tasks(task("a")))
	require.ErrorIs(t, err, dag.ErrInvalid)
	require.ErrorContains(t, err, "not mounted yet")
}

// choosy is an executor that knows what options a pool may have.
type choosy struct{ recorder }

func (*choosy) ValidatePool(options map[string]any) error {
	if _, ok := options["queue"]; !ok {
		return errors.New("no queue")
	}
	if options["queue"] == "" {
		panic("no name")
	}
	return nil
}

func TestPoolOptionsAreAskedAbout(t *testing.T) { // R6
	t.Parallel()
	ex := &choosy{}
	r := &runner.Runner{Executor: ex, Pools: map[string]executor.Executor{"other": &recorder{}}}
	d := tasks(task("a"), task("b"))
	d.Tasks[1].Pool = "other"
	require.NoError(t, r.Validate(d))
	d.PoolOptions = map[string]any{"queue": "long"}
	require.NoError(t, r.Validate(d))
	d.PoolOptions = map[string]any{"queue": ""}
	require.ErrorContains(t, r.Validate(d), "no name")
	d.PoolOptions = map[string]any{"qeue": "long"}
	d.Tasks[0].Pool, d.Pool = "other", "other"
	require.NoError(t, r.Validate(d), "another pool has them, of which nothing is known")
	d.Tasks[0].Pool, d.Pool = "", ""
	_, err := r.Run(t.Context(), d)
	require.ErrorIs(t, err, dag.ErrInvalid)
	require.ErrorContains(t, err, "executionParameters.poolParameters: no queue")
	require.Empty(t, ex.order())
	d.Tasks[0].Parents = []string{"none"}
	err = r.Validate(d)
	require.ErrorContains(t, err, "no queue", "with what else is wrong")
	require.ErrorContains(t, err, "none")
}
