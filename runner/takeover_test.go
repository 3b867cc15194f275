package runner_test

import (
	"context"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/sim"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/memlog"
	"github.com/daggy-go/daggy/statelog/statelogtest"
)

// detached returns a log with a run of which an attempt was left to a durable
// executor, and that executor. Another task can start in the meantime.
func detached(t *testing.T, rooms *capacity.Allocator) (*memlog.Log, *sim.Executor) {
	t.Helper()
	log := memlog.New()
	ex := sim.New(sim.Config{
		Durable: true, Allocator: rooms, Default: sim.Behaviour{Duration: 24 * time.Hour},
	})
	r := &runner.Runner{Executor: ex, Log: log}
	d := tasks(task("a"), task("b"))
	d.JobDefaults.Resources = dag.Resources{dag.Cores: 1}
	d.Tasks[1].NotBefore = time.Now().Add(time.Hour)
	h, err := r.Ensure(t.Context(), "x", d)
	require.NoError(t, err)
	synctest.Wait()
	require.NoError(t, h.Detach(t.Context()))
	<-time.After(2 * time.Hour)
	return log, ex
}

// The record that is found where the first one of an engine should be may be the
// last one of the engine before.
func TestLateRecordsOfOthersAreNotMistaken(t *testing.T) { // L3
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, ex := detached(t, nil)
		faulty := &statelogtest.Faulty{Log: log, Waits: true}
		faulty.OnAppend = func(_ context.Context, a statelogtest.Append) statelogtest.Fault {
			if a.N > 1 {
				return statelogtest.Fault{}
			}
			_, err := log.Append(t.Context(), a.Run, a.After, []statelog.Record{
				{Kind: statelog.Detached, Time: time.Now()},
			})
			require.NoError(t, err)
			return statelogtest.Ambiguous(false)
		}
		r := &runner.Runner{Executor: ex, Log: faulty}
		_, err := r.Resume(t.Context(), "x")
		require.ErrorIs(t, err, statelog.ErrFenced)
	})
}

// What was recorded must not be acted on any more if another engine has taken up
// the run by the time that this is known.
func TestNothingStartsAfterATakeover(t *testing.T) { // L3, I12
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := memlog.New()
		faulty := &statelogtest.Faulty{Log: log, Waits: true}
		faulty.OnAppend = func(_ context.Context, a statelogtest.Append) statelogtest.Fault {
			if a.N != 2 {
				return statelogtest.Fault{}
			}
			seq, err := log.Append(t.Context(), a.Run, a.After, a.Records)
			require.NoError(t, err)
			_, err = log.Append(t.Context(), a.Run, seq, []statelog.Record{
				{Kind: statelog.Resumed, Time: time.Now(), Engine: "another engine"},
			})
			require.NoError(t, err)
			return statelogtest.Ambiguous(false)
		}
		ex := &recorder{}
		r := &runner.Runner{Executor: ex, Log: faulty}
		_, err := r.Run(t.Context(), tasks(task("a")))
		require.ErrorIs(t, err, statelog.ErrFenced)
		require.Empty(t, ex.order())
	})
}

// A run is not given up because it cannot be looked up, for a while, that the
// append that came first was its own.
func TestDoubtOutlastsReadsThatFail(t *testing.T) { // L3, L5
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		log := &statelogtest.Faulty{
			Log: memlog.New(), Waits: true,
			OnAppend: statelogtest.At(2, statelogtest.Ambiguous(true)),
			OnRead: func(context.Context, string, uint64) error {
				if reads++; reads <= 3 {
					return errStore
				}
				return nil
			},
		}
		r := &runner.Runner{Executor: &recorder{}, Log: log}
		report, err := r.Run(t.Context(), tasks(task("a")))
		require.NoError(t, err)
		require.Equal(t, runner.RunCompleted, report.State)
	})
}

// forgetful is a log that has lost what was durable.
type forgetful struct{ statelogtest.Faulty }

// Read yields nothing.
func (f *forgetful) Read(
	context.Context, string, uint64,
) iter.Seq2[statelog.Record, error] {
	return func(func(statelog.Record, error) bool) {}
}

// Who waits for events of a log that lost them is told so.
func TestEventsThatAreGone(t *testing.T) { // L7
	t.Parallel()
	log := &forgetful{statelogtest.Faulty{Log: memlog.New()}}
	r := &runner.Runner{Executor: &recorder{}, Log: log}
	h, err := r.Start(t.Context(), tasks(task("a")))
	require.NoError(t, err)
	_, err = h.Wait(t.Context())
	require.NoError(t, err)
	for _, err = range h.Events(t.Context(), 0) {
		break
	}
	require.ErrorIs(t, err, statelog.ErrLogRewound)
}

// Who watches an engine sees what that engine knows, not what another makes of
// the run.
func TestEventsAreThoseOfTheEngine(t *testing.T) { // L2
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := memlog.New()
		d := tasks(task("gen"))
		d.Tasks[0].Generator = true
		stuck := &recorder{do: func(ctx context.Context, _ *attempt) (result, error) {
			<-ctx.Done()
			return result{}, context.Cause(ctx)
		}}
		h, err := (&runner.Runner{Executor: stuck, Log: log}).Ensure(t.Context(), "x", d)
		require.NoError(t, err)
		synctest.Wait()

		prints := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
			if a.Task != "gen" {
				return result{}, nil
			}
			_, err := a.Stdout.Write([]byte(`{"made": {"command": ["x"]}}`))
			return result{}, err
		}}
		other, err := (&runner.Runner{Executor: prints, Log: log}).Resume(t.Context(), "x")
		require.NoError(t, err)
		_, err = other.Wait(t.Context())
		require.NoError(t, err)

		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var kinds []statelog.Kind
		for ev, err := range h.Events(ctx, 0) {
			if err != nil {
				require.ErrorIs(t, err, context.DeadlineExceeded)
				break
			}
			kinds = append(kinds, ev.Kind)
		}
		require.Equal(t, []statelog.Kind{statelog.Opened, statelog.Intent}, kinds)
		require.NoError(t, h.Stop(t.Context()))
	})
}

// causes is a durable executor that returns when it is told to, and says why.
type causes struct {
	deaf
	heard chan error
}

func (c *causes) Run(ctx context.Context, _ *attempt) (result, error) {
	<-ctx.Done()
	c.heard <- context.Cause(ctx)
	return result{}, context.Cause(ctx)
}

// A decision that was not recorded stops nothing that another engine may have.
func TestUnrecordedDecisionsStopNothing(t *testing.T) { // R10, L3
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &statelogtest.Faulty{Log: memlog.New(), Waits: true}
		log.OnAppend = statelogtest.From(3, statelogtest.Fault{Err: statelog.ErrFenced})
		durable := &causes{heard: make(chan error, 1)}
		end := make(chan struct{})
		r := &runner.Runner{
			FailFast: true, Log: log,
			Executor: &recorder{do: func(context.Context, *attempt) (result, error) {
				<-end
				return fail(1)
			}},
			Pools: map[string]executor.Executor{"far": durable},
		}
		d := tasks(task("a"), task("b"))
		d.Tasks[1].Pool = "far"
		h, err := r.Start(t.Context(), d)
		require.NoError(t, err)
		synctest.Wait() // both run
		close(end)
		_, err = h.Wait(t.Context())
		require.ErrorIs(t, err, statelog.ErrFenced)
		require.ErrorIs(t, <-durable.heard, executor.ErrDetach)
	})
}

// An attempt that is given up while the log hangs stays open in it, so that it is
// not for this engine to end it.
func TestAbandonedAttemptsAreLeftAlone(t *testing.T) { // L3, E2
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &statelogtest.Faulty{Log: memlog.New(), Waits: true}
		log.OnAppend = func(ctx context.Context, a statelogtest.Append) statelogtest.Fault {
			if a.N < 3 {
				return statelogtest.Fault{}
			}
			<-ctx.Done()
			return statelogtest.Fault{Err: context.Cause(ctx)}
		}
		durable := &causes{heard: make(chan error, 1)}
		r := &runner.Runner{
			Log: log, StopTimeout: time.Second,
			Executor: &recorder{}, Pools: map[string]executor.Executor{"far": durable},
		}
		d := tasks(task("a"), task("b"))
		d.Tasks[1].Pool = "far"
		h, err := r.Start(t.Context(), d)
		require.NoError(t, err)
		synctest.Wait() // the end of a is on its way to the log
		require.NoError(t, h.Stop(t.Context()))
		require.ErrorIs(t, <-durable.heard, executor.ErrDetach)
	})
}

// slow is a durable executor that has one attempt report something, and return,
// when it is told to. Of others it says how their contexts had ended.
type slow struct {
	causes
	report chan struct{}
}

func (s *slow) Run(ctx context.Context, a *attempt) (result, error) {
	if a.Task != "a" {
		s.heard <- context.Cause(ctx)
		return result{}, context.Cause(ctx)
	}
	<-s.report
	a.Report(executor.Status{Ref: "job 1"})
	<-s.released
	return result{}, nil
}

// An attempt that waits for a slot to be stopped is left alone if it is another
// engine's when there is one.
func TestFencedEngineEndsNothingLater(t *testing.T) { // L3, E5
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := memlog.New()
		first := &runner.Runner{Executor: &causes{heard: make(chan error, 2)}, Log: log}
		h, err := first.Ensure(t.Context(), "x", tasks(task("a"), task("b")))
		require.NoError(t, err)
		synctest.Wait()
		require.NoError(t, h.Detach(t.Context()))

		ex := &slow{causes: causes{heard: make(chan error, 1)}, report: make(chan struct{})}
		ex.released = make(chan struct{})
		faulty := &statelogtest.Faulty{Log: log, Waits: true}
		faulty.OnAppend = statelogtest.From(2, statelogtest.Fault{Err: statelog.ErrFenced})
		second := &runner.Runner{Executor: ex, Log: faulty, MaxRunning: 1}
		h, err = second.Resume(t.Context(), "x")
		require.NoError(t, err)
		synctest.Wait()
		go func() { _ = h.Stop(t.Context()) }()
		synctest.Wait()
		close(ex.report)
		synctest.Wait()
		close(ex.released)
		require.ErrorIs(t, <-ex.heard, executor.ErrDetach)
		_, err = h.Wait(t.Context())
		require.ErrorIs(t, err, statelog.ErrFenced)
	})
}

// What was leased for attempts of another engine is given back also by an engine
// that could not record a thing.
func TestLeasesOfResumedAttemptsAreReturned(t *testing.T) { // I10, L5
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rooms := capacity.New(
			capacity.Node{Name: "n", Total: dag.Resources{dag.Cores: 2}})
		log, ex := detached(t, rooms)
		faulty := &statelogtest.Faulty{Log: log, Waits: true}
		faulty.OnAppend = statelogtest.From(2, statelogtest.Fault{Err: statelog.ErrFenced})
		r := &runner.Runner{Executor: ex, Log: faulty}
		h, err := r.Resume(t.Context(), "x")
		require.NoError(t, err)
		_, err = h.Wait(t.Context())
		require.ErrorIs(t, err, runner.ErrInterrupted)
		require.Zero(t, rooms.Nodes()[0].Leases)
	})
}

// deaf is a durable executor that does not return before it is released.
type deaf struct{ released chan struct{} }

func (d *deaf) Validate(dag.Job) error { return nil }

func (d *deaf) Durable() bool { return true }

func (d *deaf) Forget(context.Context, ...string) error { return nil }

func (d *deaf) Run(context.Context, *attempt) (result, error) {
	<-d.released
	return result{}, nil
}

// Attempts that wait for a slot are not waited for either, if those who have the
// slots do not return.
func TestResumedAttemptsWithoutASlotAreGivenUp(t *testing.T) { // R5
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := memlog.New()
		ex := &deaf{released: make(chan struct{})}
		defer close(ex.released)
		first := &runner.Runner{Executor: ex, Log: log}
		h, err := first.Ensure(t.Context(), "x", tasks(task("a"), task("b"), task("c")))
		require.NoError(t, err)
		synctest.Wait()
		require.NoError(t, h.Detach(t.Context()))

		second := &runner.Runner{Executor: ex, Log: log, MaxRunning: 1}
		h, err = second.Resume(t.Context(), "x")
		require.NoError(t, err)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		require.NoError(t, h.Stop(ctx))
		_, err = h.Wait(ctx)
		require.ErrorIs(t, err, runner.ErrStillRunning)
	})
}
