package runner

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/statelog"
)

// A Runner runs DAGs. The zero Runner works: it runs commands on this machine
// and keeps the state of its runs in memory.
//
// A Runner must not be copied or altered after first use. All methods are safe
// for concurrent use, and any number of runs may be active at once.
type Runner struct {
	// Executor runs the tasks of the default pool, "". Nil: local processes,
	// with the capacity of this machine, see package fork. They outlive the
	// program if Log is in a directory ([statelog.Directory]): what belongs to
	// them is in one beside it, whose name ends in "-processes".
	Executor executor.Executor
	// Pools are further executors, by the name that a DAG or a task gives.
	Pools map[string]executor.Executor
	// Log keeps the records of all runs. Nil: each run is kept in memory for as
	// long as its Handle or its Report is.
	Log statelog.StateLogger
	// MaxRunning bounds the attempts that run at once in each pool without an
	// Allocator, for each run. 0: 1024; negative: no limit.
	MaxRunning int
	// FailFast stops the rest of a run after its first failure: what runs is
	// stopped and ends as killed, and nothing new starts.
	FailFast bool
	// LongestPathFirst starts, at equal priority, the tasks with the longest
	// chain of tasks behind them first.
	LongestPathFirst bool
	// TempFail treats exit code 75 (EX_TEMPFAIL in sysexits.h) as a lost
	// attempt: tried again with backoff, without touching the task's retries.
	TempFail bool
	// Lost says how lost attempts are tried again.
	Lost Backoff
	// Limits bound what definitions and generators may ask for.
	Limits dag.Limits
	// Output says where captured output goes and how much is kept.
	Output Output
	// StopTimeout is how long the end of a run waits for executors to return
	// after their attempts were told to stop. It should be more than their own
	// grace times. 0: one minute; negative: for ever.
	StopTimeout time.Duration
	// StoreTimeout is how long a run goes on without its log, when that does not
	// take records: nothing new starts, and what runs goes on. Then the run is
	// interrupted. 0: ten minutes; negative: for ever.
	StoreTimeout time.Duration
	// Poison is how many engines in a row may die with an attempt of an instance
	// open, while no attempt of the run came to an end, before the instance fails
	// for good: it may be what takes them down. 0: five; negative: any number.
	Poison int
	// Seed of all that is random. 0: chosen at random for each run.
	Seed uint64
	// Observers are told what happens, see [Observer].
	Observers []Observer
	// Logger gets what a person who operates the program may want to know.
	// Nil: nothing is logged.
	Logger *slog.Logger

	mu     sync.Mutex
	active map[string]*engine // guarded by mu
	// opening has, by the ID of each run that somebody is about to make active,
	// what is closed when that is done. Guarded by mu.
	opening map[string]chan struct{}
	local   executor.Executor // of pool "" if Executor is nil; guarded by mu
}

// Backoff says how attempts are tried again that were lost through no fault of
// the task. The n-th loss in a row of an instance is followed by a pause of
// Min·2^(n-1), at most Max, of which a random part of up to a half is left out.
type Backoff struct {
	// Min is the first pause. 0: one second.
	Min time.Duration
	// Max is the longest pause. 0: five minutes.
	Max time.Duration
	// Budget is how many losses an instance may have before it fails for good.
	// 0: ten; negative: any number.
	Budget int
}

// Run runs d with the zero Runner: commands are run on this machine, and
// nothing is kept beyond the Report. It returns when the run is over.
func Run(ctx context.Context, d *dag.DAG) (*Report, error) {
	var r Runner
	return r.Run(ctx, d)
}

// Run runs d and waits until the run is over. The Report is never nil. The
// error is nil if and only if the run completed: otherwise it is a definition's
// problems, for which errors.Is(err, [dag.ErrInvalid]) holds, or a [*RunError].
//
// When ctx ends, everything that was started is stopped and waited for, and the
// run is interrupted.
func (r *Runner) Run(ctx context.Context, d *dag.DAG) (*Report, error) {
	h, err := r.Start(ctx, d)
	if err != nil {
		return &Report{}, err
	}
	// Start's ctx governs the run, which ends soon after it: to wait for less
	// would leave goroutines and processes behind.
	return h.Wait(context.WithoutCancel(ctx))
}

// Validate reports every problem that would keep d from being started: those of
// the definition, and pools, functions, options and resources that this Runner
// does not have. Nothing is started.
func (r *Runner) Validate(d *dag.DAG) error {
	_, err := r.compile(d)
	return err
}

// Start starts a run of d and returns at once. ctx governs the run, not the
// call: when it ends, the run is interrupted. d is read until Start returns, and
// not altered.
func (r *Runner) Start(ctx context.Context, d *dag.DAG) (*Handle, error) {
	return r.start(ctx, newRunID(), d)
}

// Ensure starts a run of d with the given ID, or goes on with the run of that
// ID if there is one, see [Runner.Resume]. If that has another definition, the
// error is [ErrDefinitionChanged] and says what changed. IDs are 1 to 200
// printable characters.
func (r *Runner) Ensure(ctx context.Context, id string, d *dag.DAG) (*Handle, error) {
	if err := checkRunID(id); err != nil {
		return nil, err
	}
	found := func(e *engine) (*Handle, error) { return e.expect(d) }
	return r.open(ctx, id, found, func() (*Handle, error) {
		h, err := r.takeUp(ctx, id, d, nil)
		if errors.Is(err, statelog.ErrNoRun) {
			h, err = r.start(ctx, id, d)
			if errors.Is(err, statelog.ErrFenced) { // somebody else has just started it
				return r.takeUp(ctx, id, d, nil)
			}
		}
		return h, err
	})
}
