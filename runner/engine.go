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
	running  int  // workers
	closing  bool // the plan asked for the end
	over     bool
	cause    error    // why the run was interrupted
	logErr   error    // why the log takes no more
	left     []string // instances whose executors did not return
	deadline *time.Timer
	// detaching: durable executors are to let go of what they run.
	detaching bool
	closedAt  time.Time

	leases bool          // a pool allocates
	hungry atomic.Bool   // something was refused
	room   chan struct{} // tells askAgain that there may be room

	wake     chan struct{} // tells the appender that there is something to append
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
			select {
			case e.wake <- struct{}{}:
			default:
			}
			break
		}
		b := e.plan.Take()
		if len(b.Records) > 0 {
			seq, err := e.log.Append(e.ctx, e.run, e.seq, b.Records)
			if err != nil {
				e.logFailed(err, b.Actions)
				break
			}
			e.appended(seq)
		}
		e.perform(b.Actions)
		e.plan.Recycle(b)
	}
	e.setTimer()
	e.finishIfOver()
}

// appended takes note of durable records.
func (e *engine) appended(seq uint64) {
	e.seq = seq
	if e.news != nil {
		close(e.news)
		e.news = nil
	}
}

// append is the goroutine that appends to a log which may take its time.
func (e *engine) append() {
	for range e.wake {
		e.mu.Lock()
		for e.plan.Pending() && e.logErr == nil {
			b := e.plan.Take()
			e.appendBatch(b)
			e.plan.Recycle(b)
		}
		e.setTimer()
		e.finishIfOver()
		e.mu.Unlock()
	}
}

func (e *engine) appendBatch(b plan.Batch) {
	if len(b.Records) > 0 {
		after := e.seq
		e.inFlight = len(b.Records)
		e.mu.Unlock()
		// The last records of a run outlive the end of its context (L5).
		seq, err := e.log.Append(e.appends, e.run, after, b.Records)
		e.mu.Lock()
		e.inFlight = 0
		if err != nil {
			e.logFailed(err, b.Actions)
			return
		}
		e.appended(seq)
	}
	e.perform(b.Actions)
	e.lease()
}

// logFailed stops the run: without its log it must not go on. What was to follow
// the records that were not appended is not done, except that what was to be
// stopped is: the plan does not ask for it again.
func (e *engine) logFailed(err error, actions []plan.Action) {
	e.logErr = err
	if e.cause == nil {
		e.cause = err
	}
	e.logger.Error("state log failed, the run stops",
		slog.String("run", e.run), slog.Any("err", err))
	e.plan.Interrupt(time.Now())
	b := e.plan.Take() // these records stay unrecorded
	for _, list := range [...][]plan.Action{actions, b.Actions} {
		for _, a := range list {
			if a.Kind == plan.Stop || a.Kind == plan.Close {
				e.performOne(a)
			}
		}
	}
	e.closing = true
	e.stopDeadline()
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

// lease asks for what the plan wants to start next in pools that allocate.
func (e *engine) lease() {
	if !e.leases {
		return
	}
	// Before asking, so that no room that is freed after a refusal is missed.
	e.hungry.Store(true)
	blocked := false
	for i, w := range e.pools {
		if w.allocator == nil {
			continue
		}
		for {
			group, ok := e.plan.Want(i)
			if !ok {
				break
			}
			lease, err := e.request(group).TryAllocate()
			if err != nil {
				e.plan.Refuse(group)
				continue
			}
			id := e.plan.Lease(time.Now(), group, lease.Node())
			e.attempt(id).lease = lease
		}
		blocked = blocked || e.plan.Blocked(i)
	}
	e.hungry.Store(blocked)
}

// request returns the standing request of a group.
func (e *engine) request(group int) *capacity.Request {
	for len(e.requests) <= group {
		e.requests = append(e.requests, nil)
	}
	if e.requests[group] == nil {
		g := &e.def.pools.groups[group]
		request, err := e.def.pools.list[g.pool].allocator.Prepare(g.resources)
		if err != nil {
			panic("runner: a request that was checked is refused: " + err.Error())
		}
		e.requests[group] = request
	}
	return e.requests[group]
}

// freed is called by an allocator when it may have room again. It can be called
// while this engine holds mu and asks the same allocator, so it only leaves word.
func (e *engine) freed() {
	if !e.hungry.Load() {
		return
	}
	select {
	case e.room <- struct{}{}:
	default:
	}
}

// askAgain is the goroutine that asks again when there is room.
func (e *engine) askAgain() {
	for {
		select {
		case <-e.room:
		case <-e.ctx.Done():
			return
		}
		e.mu.Lock()
		if !e.over {
			e.askBlocked()
			e.pump()
		}
		e.mu.Unlock()
	}
}

// askBlocked has what was refused asked for again, with mu held.
func (e *engine) askBlocked() {
	for i, w := range e.pools {
		if w.allocator != nil && e.plan.Blocked(i) {
			e.plan.Freed(i)
		}
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

// interrupt ends the run so that it can go on later.
func (e *engine) interrupt(cause error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.interruptNow(cause)
}

// interruptNow is interrupt with mu held.
func (e *engine) interruptNow(cause error) {
	if e.closing || e.plan.Interrupted() {
		return
	}
	e.cause = cause
	e.plan.Interrupt(time.Now())
	e.pump()
	e.stopDeadline()
}

// finishIfOver ends the engine when the plan is done and all workers are gone.
func (e *engine) finishIfOver() {
	if !e.closing || e.over || e.running > 0 || e.logErr == nil && e.plan.Pending() {
		return
	}
	e.over = true
	if e.closedAt.IsZero() {
		e.closedAt = time.Now() // it ends without its log
	}
	for _, t := range [...]*time.Timer{e.timer, e.deadline} {
		if t != nil {
			t.Stop()
		}
	}
	close(e.wake)
	if e.news != nil {
		close(e.news)
		e.news = nil
	}
	go e.finish()
}

// finish waits for the engine's own goroutines and lets go of what it holds.
func (e *engine) finish() {
	for i := len(e.cleanup) - 1; i >= 0; i-- {
		e.cleanup[i]()
	}
	e.stop(context.Canceled)
	e.watching.Wait()
	e.stopAppends(context.Canceled)
	close(e.finished)
}
