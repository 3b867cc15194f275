package fork

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork/internal/wire"
)

// An attempt is what a supervisor does under a key. Any number of calls may watch
// it, from its beginning or later.
type attempt struct {
	key  string
	s    *supervisor
	ctx  context.Context //nolint:containedctx // ends what runs, and belongs to no call
	stop context.CancelCauseFunc

	mu       sync.Mutex // guards the following
	pid      int        // 0: it does not run yet
	spools   [2]spool
	watchers []*watcher
	last     *wire.Frame // what late watchers are told; nil: it is not over
}

// A watcher is a call that is told of an attempt.
type watcher struct {
	session *session
	call    uint64
	grown   [2]bool // it is going to be told
}

func (s *supervisor) newAttempt(key string) *attempt {
	a := &attempt{key: key, s: s}
	a.ctx, a.stop = context.WithCancelCause(context.Background())
	for i := range a.spools {
		a.spools[i] = spool{attempt: a, stream: i}
	}
	return a
}

// run claims the key, and runs the command to its end.
func (a *attempt) run(start *wire.Start) {
	defer a.s.done(a)
	defer a.stop(nil)
	res, err := a.execute(start)
	if _, not := errors.AsType[*executor.NotStartedError](err); not {
		refused := wire.AppendFailure(nil, failure(err))
		a.finish(wire.Refused, refused, refused)
		return
	}
	o := &wire.Outcome{Result: res, Streams: a.streams()}
	if err != nil {
		o.Failure = failure(err)
	}
	body := a.encode(o)
	kept := body
	if a.wasStopped(o) {
		o.Failure = failure(&executor.LostError{Err: errStoppedBefore})
		kept = a.encode(o)
	}
	if err := a.s.journal.End(a.key, kept); err != nil {
		// The journal keeps it until it can be written. If this process ends before,
		// the attempt is lost.
		complain(fmt.Errorf("key %s: its end cannot be written: %w", a.key, err))
	}
	a.finish(wire.Ended, body, kept)
}

// errStoppedBefore is what a later engine is told of what another one stopped, for it
// was not the command that failed (E5). Those who watch are told how it ended.
var errStoppedBefore = errors.New("fork: an engine that has ended since had stopped it")

// wasStopped reports whether an engine ended the attempt, and not its own time.
func (a *attempt) wasStopped(o *wire.Outcome) bool {
	stopped := a.ctx.Err() != nil && !errors.Is(context.Cause(a.ctx), executor.ErrTimeLimit)
	return stopped && (o.Failure != nil || !o.Result.OK())
}

func (a *attempt) encode(o *wire.Outcome) []byte {
	body, err := o.Append(nil)
	if err != nil {
		complain(fmt.Errorf("key %s: %w", a.key, err)) // never: a result can be encoded
	}
	return body
}

// execute runs the command between a claim and its end.
func (a *attempt) execute(start *wire.Start) (executor.Result, error) {
	slot, err := a.s.journal.Claim(a.key, start.Grace)
	if err != nil {
		return executor.Result{}, notStarted(err)
	}
	l, err := a.s.locks.take(slot)
	if err == nil && a.ctx.Err() != nil {
		_ = unix.Close(l.fd)
		err = fmt.Errorf("fork: not started: %w", context.Cause(a.ctx))
		return executor.Result{}, err
	}
	if err != nil {
		return executor.Result{}, a.withdraw(notStarted(err))
	}
	var timer *time.Timer
	job := &executor.Attempt{
		Key: a.key, Node: start.Node, Job: dag.Job{Resources: start.Resources},
		Stdout: a.writer(start, 0), Stderr: a.writer(start, 1),
		OnReport: func(st executor.Status) {
			a.started(st)
			if start.Limit > 0 {
				timer = time.AfterFunc(start.Limit, func() { a.stop(executor.ErrTimeLimit) })
			}
		},
	}
	c := command{path: start.Path, argv: start.Argv, env: start.Env, dir: start.Dir, lock: l}
	res, err := a.s.local(start).run(a.ctx, job, c)
	if timer != nil {
		timer.Stop()
	}
	if _, not := errors.AsType[*executor.NotStartedError](err); not {
		err = a.withdraw(err)
	}
	return res, err
}

// notStarted is for what comes back: room on the disk, descriptors.
func notStarted(err error) error {
	return &executor.NotStartedError{Err: fmt.Errorf("fork: %w", err)}
}

// withdraw gives the key back, as nothing was started. If that cannot be written the key
// stays used, so that nothing ever starts under it.
func (a *attempt) withdraw(err error) error {
	if e := a.s.journal.Withdraw(a.key); e != nil {
		// No longer an error of the kind that has the same key tried again.
		err = fmt.Errorf("%s, and its claim cannot be withdrawn: %w", err.Error(), e)
		return &executor.LostError{Err: err}
	}
	return err
}

// started is called when the command runs. What it is called is only a help in
// finding it again, so that it need not be written.
func (a *attempt) started(st executor.Status) {
	pid, _ := strconv.Atoi(st.Ref)
	if err := a.s.journal.Started(a.key, identify(pid)); err != nil {
		complain(fmt.Errorf("key %s: its start cannot be written: %w", a.key, err))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pid = pid
	for _, w := range a.watchers {
		// Most commands are over before anybody could make use of that.
		w.session.conn.SendSoon(w.frame(wire.Running, wire.AppendUint(nil, uint64(pid))))
	}
}

// watch tells a call of everything from the beginning, until the end.
func (a *attempt) watch(w *watcher) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pid != 0 {
		w.tell(wire.Running, wire.AppendUint(nil, uint64(a.pid)))
	}
	if a.last != nil {
		w.tell(a.last.Kind, a.last.Body)
		return
	}
	for i := range a.spools {
		a.spools[i].repeat(w)
	}
	a.watchers = append(a.watchers, w)
	w.session.watch(w.call, a)
}

// leave tells the call of a session no more.
func (a *attempt) leave(s *session, call uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.watchers = slices.DeleteFunc(a.watchers, func(w *watcher) bool {
		return w.session == s && w.call == call
	})
}

// finish tells everybody the end. Those who come later are told what is kept, as they
// are when the attempt is known from the journal alone.
func (a *attempt) finish(kind wire.Kind, body, kept []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = &wire.Frame{Kind: kind, Body: kept}
	for _, w := range a.watchers {
		w.tell(kind, body)
		w.session.forget(w.call)
	}
	a.watchers = nil
}

func (w *watcher) tell(kind wire.Kind, body []byte) { w.session.conn.Send(w.frame(kind, body)) }

func (w *watcher) frame(kind wire.Kind, body []byte) wire.Frame {
	return wire.Frame{Kind: kind, Call: w.call, Body: body}
}
