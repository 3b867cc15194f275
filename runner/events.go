package runner

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/statelog"
)

// An Event is a record of the run with names for its numbers.
type Event struct {
	// Seq numbers the events of a run from 1, without a gap.
	Seq  uint64
	Time time.Time
	Kind statelog.Kind
	// Task and Instance are names. They are empty where an event is about the
	// whole run; Instance is empty where it is about all of a task.
	Task, Instance string
	Attempt        int
	Node, Ref      string
	// Start is when the attempt started, in Done and Lost.
	Start time.Time
	Class Class
	// Result is nil for a success of which there is nothing more to say.
	Result *executor.Result
	// Delay is the pause before the next attempt; negative: there is none.
	Delay    time.Duration
	Reason   string
	Decision statelog.Decision
	// State of the run, when it is closed.
	State RunState
}

// Events yields the events after the given number, 0 for all, and waits for
// more until the run is over or ctx ends. It is a cursor on the log: none is
// lost, however slow the caller is, and nobody waits for it.
func (h *Handle) Events(ctx context.Context, after uint64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			last, news := h.e.newsAfter(after)
			if last == after && news == nil {
				return
			}
			if news != nil {
				select {
				case <-news:
					continue
				case <-ctx.Done():
					yield(Event{}, context.Cause(ctx))
					return
				}
			}
			before := after
			for r, err := range h.e.log.Read(ctx, h.e.run, after) {
				if err != nil {
					yield(Event{}, err)
					return
				}
				if r.Seq > last {
					break // by another engine, or not known to be durable yet (L2)
				}
				after = r.Seq
				if !yield(h.e.event(&r), nil) {
					return
				}
			}
			if after == before { // it was there when it was appended
				yield(Event{}, fmt.Errorf("runner: record %d is gone: %w", after+1,
					statelog.ErrLogRewound))
				return
			}
		}
	}
}

// newsAfter returns the number of the last record of which this engine knows. If
// that is not after the given number, news is closed when there are more, or nil
// if there never will be.
func (e *engine) newsAfter(after uint64) (last uint64, news chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.seq > after || e.over {
		return max(e.seq, after), nil
	}
	if e.news == nil {
		e.news = make(chan struct{})
	}
	return after, e.news
}

// recorded returns the number that the last record known so far will have.
func (e *engine) recorded() uint64 {
	records := e.inFlight + e.plan.PendingRecords()
	if e.refused != nil {
		records += len(e.refused.Records)
	}
	return e.seq + uint64(records)
}

// await waits, with mu held, until a record is durable.
func (e *engine) await(ctx context.Context, seq uint64) error {
	for e.seq < seq {
		if e.logErr != nil {
			return e.logErr
		}
		if e.over {
			return ErrOver
		}
		if e.news == nil {
			e.news = make(chan struct{})
		}
		news := e.news
		e.mu.Unlock()
		var err error
		select {
		case <-news:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		e.mu.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *engine) event(r *statelog.Record) Event {
	ev := Event{
		Seq: r.Seq, Time: r.Time, Kind: r.Kind, Attempt: r.Attempt, Node: r.Node, Ref: r.Ref,
		Start: r.Start, Class: r.Class, Result: r.Result, Delay: r.Delay, Reason: r.Reason,
		Decision: r.Decision, State: RunState(r.State),
	}
	switch r.Kind {
	case statelog.Opened, statelog.Resumed, statelog.Detached, statelog.Closed, statelog.Reopened:
		return ev
	default: // it is about a task
	}
	if r.Task == statelog.WholeTask {
		return ev
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	ev.Task = e.def.graph.Name(r.Task)
	if r.Instance != statelog.WholeTask {
		ev.Instance = e.def.instanceName(r.Task, r.Instance)
	}
	return ev
}

// An Observer is told what happens in the runs of a Runner. Each function is
// optional. They are called one at a time for each run, in the order of the
// log, after what they are told is durable, and by a goroutine of their own: a
// slow one delays only itself, and the end of Wait. They may call the Handle,
// but not wait for the end of the run. One that panics is logged and not called
// again.
type Observer struct {
	// Opened, Resumed or Reopened: an engine takes up the run.
	RunStarted func(h *Handle, ev Event)
	// AttemptStarting: an attempt is handed to its executor.
	AttemptStarting func(h *Handle, ev Event)
	// AttemptStarted: the executor said what its ID outside is, or where it runs.
	// Not all executors do.
	AttemptStarted func(h *Handle, ev Event)
	// AttemptEnded: done, lost or not started after all, see Event.Kind.
	AttemptEnded func(h *Handle, ev Event)
	// Decided: a kill, hold, release, retry, abort, or fail-fast.
	Decided func(h *Handle, ev Event)
	// RunClosed: the run is closed. An interrupted run is not.
	RunClosed func(h *Handle, ev Event)
	// Event gets all of them.
	Event func(h *Handle, ev Event)
}

// call calls the functions that are for ev.
func (o *Observer) call(h *Handle, ev Event) {
	if f := o.funcFor(ev.Kind); f != nil {
		f(h, ev)
	}
	if o.Event != nil {
		o.Event(h, ev)
	}
}

func (o *Observer) funcFor(k statelog.Kind) func(*Handle, Event) {
	switch k {
	case statelog.Opened, statelog.Resumed, statelog.Reopened:
		return o.RunStarted
	case statelog.Intent:
		return o.AttemptStarting
	case statelog.Started:
		return o.AttemptStarted
	case statelog.Done, statelog.Lost, statelog.NotStarted:
		return o.AttemptEnded
	case statelog.Decided:
		return o.Decided
	case statelog.Closed:
		return o.RunClosed
	case statelog.Detached: // there is no function of its own for it
	}
	return nil
}

// watcher is an observer of one run, and the last event that it was told of.
type watcher struct {
	Observer
	seen uint64
}

// observe is the goroutine that calls the observers of a run.
func (e *engine) observe(observers []watcher, after uint64) {
	returned := false
	defer func() {
		if !returned { // an observer ended this goroutine, and is dropped
			e.watching.Go(func() { e.observe(observers, after) })
		}
	}()
	e.tellAll(observers, &after)
	returned = true
}

// tellAll tells the observers of all events after a number, which it keeps.
func (e *engine) tellAll(observers []watcher, after *uint64) {
	for n := 1; ; n++ {
		err := e.tellNext(observers, after)
		if err == nil {
			return
		}
		// They miss nothing while the log is away, and wait for it as the run does.
		e.logger.Warn("observers cannot read the log",
			slog.String("run", e.run), slog.Any("err", err))
		if !passes(storePause.Delay(*after, 0, n), e.ended) && n > 3 {
			return
		}
	}
}

// tellNext tells the observers of the events after a number until the log cannot
// be read or the run is over.
func (e *engine) tellNext(observers []watcher, after *uint64) error {
	for ev, err := range e.handle.Events(context.WithoutCancel(e.ctx), *after) {
		if err != nil {
			return err
		}
		for i := range observers {
			if observers[i].seen < ev.Seq {
				e.tell(&observers[i], ev)
			}
		}
		*after = ev.Seq
	}
	return nil
}

// tell calls one observer, and drops it if it panics or calls runtime.Goexit
// (R4).
func (e *engine) tell(o *watcher, ev Event) {
	o.seen = ev.Seq
	returned := false
	defer func() {
		if v := recover(); !returned {
			o.Observer = Observer{}
			e.logger.Error("observer panicked and is dropped",
				slog.String("run", e.run), slog.Any("err", v),
				slog.String("stack", string(debug.Stack())))
		}
	}()
	o.call(e.handle, ev)
	returned = true
}
