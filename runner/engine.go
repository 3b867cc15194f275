package runner

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/runner/internal/plan"
	"github.com/daggy-go/daggy/statelog"
)

// engine is a Runner at work on one run. It carries out what the plan decides:
// appends records, leases, starts workers, keeps the one timer.
//
// There is no scheduling goroutine. Whoever has news for the plan takes mu,
// tells the plan and calls pump, which appends the new records and then starts
// what they announce. With a log that is Immediate the append is part of pump;
// other logs are appended to by the appender, one batch at a time (L2), while
// everybody else goes on. mu is never held during I/O or user code.
type engine struct {
	runner   *Runner
	run      string
	key      string // starts the keys of attempts
	id       string // of this engine, random
	handle   *Handle
	log      statelog.StateLogger
	inMemory bool // log is Immediate
	logger   *slog.Logger
	outputs  *outputs
	opened   time.Time

	// outer is the caller's context. ctx is the parent of those of attempts: it
	// has the caller's values, and ends with the run.
	outer context.Context //nolint:containedctx // it governs the run (R8)
	ctx   context.Context //nolint:containedctx // it governs the run (R8)
	stop  context.CancelCauseFunc
	// appends is the context of appends by the appender. It outlives that of
	// the run by StopTimeout.
	appends     context.Context //nolint:containedctx // as above
	stopAppends context.CancelCauseFunc

	clock clock

	mu       sync.Mutex
	def      *definition
	plan     *plan.Plan
	attempts []*attempt // by plan.ID
	spare    []*attempt // to use again
	pools    []*workers
	requests []*capacity.Request // by group, nil: not asked for yet
	timer    *time.Timer
	timerAt  time.Time
	seq      uint64 // of the last record that is durable
	inFlight int    // records that are being appended
	from     uint64 // the last record before this engine's
	news     chan struct{}
	lastEnd  time.Time // of an attempt
	running  int       // workers
	closing  bool      // the plan asked for the end
	over     bool
	cause    error       // why the run was interrupted
	logErr   error       // why the log takes no more
	away     error       // why the log takes nothing now
	refused  *plan.Batch // that an immediate log did not take
	left     []string    // instances whose executors did not return
	unwaited int         // executors that may yet return
	unlock   func()      // gives the lock of the run back; nil: it was
	deadline *time.Timer
	// detaching: durable executors are to let go of what they run.
	detaching bool
	closedAt  time.Time

	leases bool          // a pool allocates
	hungry atomic.Bool   // something was refused
	room   chan struct{} // tells askAgain that there may be room

	// doubtful: it is not known whether records were added, or may be yet. It
	// belongs to whoever appends.
	doubtful bool
	// closed are attempts that durable executors may forget, by pool, and forgets
	// says that there are some. Nil: no executor is durable.
	closed  [][]attemptRef
	forgets chan struct{}

	wake     chan struct{} // tells the appender that there is something to append
	ended    chan struct{} // closed when the run is over
	finished chan struct{} // closed when the run is over and nothing is left
	watching sync.WaitGroup
	cleanup  []func()
}

// workers are the goroutines that run the attempts of one pool.
type workers struct {
	*poolDef
	ready    ring
	count    int
	starting bool // one was started and has not taken an attempt yet
	coming   int  // how many take an attempt next, the one that starts included
	taken    atomic.Uint32
}

// pump hands out what the plan decided. It is called with mu held after every
// event, and returns with mu held.
func (e *engine) pump() {
	for {
		e.lease()
		if !e.plan.Pending() || e.logErr != nil {
			break
		}
		if !e.inMemory {
			e.wakeAppender()
			break
		}
		b := e.plan.Take()
		if len(b.Records) > 0 {
			seq, err := e.log.Append(e.ctx, e.run, e.seq, b.Records)
			if err != nil {
				e.appendElsewhere(b, err)
				break
			}
			e.appended(seq)
			e.forgetClosed(b.Records)
		}
		e.perform(b.Actions)
		e.plan.Recycle(b)
	}
	e.setTimer()
	e.finishIfOver()
}

// perform carries out actions whose records are durable.
func (e *engine) perform(actions []plan.Action) {
	for i := range actions {
		e.performOne(actions[i])
	}
}

func (e *engine) performOne(a plan.Action) {
	switch a.Kind {
	case plan.Start:
		if e.plan.Valid(a) {
			e.dispatch(a.ID)
		}
	case plan.Stop:
		if e.plan.Valid(a) {
			e.stopAttempt(a.ID, a.Class)
		}
	case plan.Recall:
		if e.plan.Valid(a) {
			e.recallAttempt(a.ID)
		}
	case plan.Leave:
		if r := e.requests[a.Group]; r != nil {
			r.Leave()
		}
	case plan.Close:
		e.closing = true
		e.closedAt = time.Now()
	}
}

// setTimer makes the run's timer agree with the plan's.
func (e *engine) setTimer() {
	at, ok := e.plan.Timer()
	switch {
	case !ok || e.closing:
		if !e.timerAt.IsZero() {
			e.timer.Stop()
			e.timerAt = time.Time{}
		}
	case e.timer == nil:
		e.timerAt = at
		e.timer = time.AfterFunc(time.Until(at), e.tick)
	case !at.Equal(e.timerAt):
		e.timerAt = at
		e.timer.Reset(time.Until(at))
	}
}

func (e *engine) tick() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return
	}
	e.timerAt = time.Time{}
	e.plan.Tick(time.Now())
	e.pump()
}
