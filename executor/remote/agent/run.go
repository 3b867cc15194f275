package agent

import (
	"context"
	"errors"
	"io"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
	"github.com/daggy-go/daggy/internal/boot"
)

// Reasons of stopping, as they are told.
const (
	stoppedClosed   = wire.StoppedClosed
	stoppedLease    = wire.StoppedLease
	stoppedShutdown = wire.StoppedShutdown
)

// launch has an attempt run, which may have been started before. When the daemon ends
// that is left to the one after it. a.mu is held.
func (a *Agent) launch(at *attempt) {
	if a.closing {
		at.phase = accepted
		return
	}
	ctx, stop := context.WithCancelCause(context.Background())
	at.phase, at.live, at.stop = accepted, true, stop
	if at.stopped != "" {
		// It was closed while its claim was on its way.
		stop(at.cause())
	}
	a.employ(work{ctx, &call{agent: a, at: at, sub: at.sub}})
}

// cause is what ends the context of an attempt that is stopped. a.mu is held.
func (at *attempt) cause() error {
	switch {
	case at.late:
		return executor.ErrTimeLimit
	case at.stopped == stoppedLease:
		return errLease
	case at.stopped == stoppedShutdown:
		return errShutdown
	}
	return errClosed
}

// A call is one of the executor for an attempt. Its outputs outlive it.
type call struct {
	agent   *Agent
	at      *attempt
	sub     *wire.Submission // nil: it only attaches, or closes the key
	job     executor.Attempt
	limit   *limit // nil: none
	outputs outputs
	res     executor.Result
	err     error
}

// run makes the call.
func (c *call) run(ctx context.Context) {
	a, at := c.agent, c.at
	defer a.running.Done()
	c.job = executor.Attempt{
		Key: at.key, Resumed: true, Stdout: &c.outputs[0], Stderr: &c.outputs[1],
	}
	if c.sub != nil {
		c.prepare()
	}
	c.job.OnReport = c.reported
	for i := range c.outputs {
		c.outputs[i].owner = c
	}
	a.mu.Lock()
	at.outputs = &c.outputs
	a.mu.Unlock()
	c.limit = a.newLimit(at, c.job.Job.TimeLimit)
	defer c.after(ctx) // also when the executor ends the goroutine
	c.call(ctx)
}

// call calls the executor. What it panics with is an error (R4).
func (c *call) call(ctx context.Context) {
	returned := false
	defer func() {
		if returned {
			return
		}
		value := recover()
		if value == nil {
			value = "the executor called runtime.Goexit"
		}
		c.res, c.err = executor.Result{}, &executor.PanicError{Value: value, Stack: debug.Stack()}
	}()
	c.res, c.err = c.agent.executor.Run(ctx, &c.job)
	returned = true
}

// after is for when the executor has returned.
func (c *call) after(ctx context.Context) {
	a := c.agent
	c.limit.end()
	cause := context.Cause(ctx)
	c.at.stop(nil)
	c.job = executor.Attempt{} // the outputs are kept, and that is not
	if a.left(c.at, c.sub, cause, c.err) {
		return
	}
	for i := range c.outputs {
		if e := c.outputs[i].finish(a.journal != nil); e != nil && c.err == nil {
			c.err = e
		}
	}
	res, err := classed(c.res, c.err, cause)
	a.over(c.at, res, err)
}

// prepare has the job be what was submitted.
func (c *call) prepare() {
	stdout, stderr := c.job.Stdout, c.job.Stderr
	c.sub.Fill(&c.job)
	if c.sub.Stdout == wire.Drop {
		stdout = io.Discard
	}
	switch c.sub.Stderr {
	case wire.Drop:
		stderr = io.Discard
	case wire.Join:
		stderr = stdout
	}
	c.job.Stdout, c.job.Stderr = stdout, stderr
}

// reported notes what the executor says of an attempt.
func (c *call) reported(st executor.Status) {
	c.limit.report(st)
	a, at := c.agent, c.at
	a.mu.Lock()
	defer a.mu.Unlock()
	if !at.open() {
		return
	}
	if st.Running {
		at.phase = running
	}
	if st.Ref != "" {
		at.ref = cut(st.Ref)
	}
	if st.Node != "" {
		at.node = cut(st.Node)
	}
	at.reason = cut(st.Reason)
	a.touchLater(at)
}

// left deals with attempts that are not over when the call is. It reports whether
// this is one.
func (a *Agent) left(at *attempt, sub *wire.Submission, cause, err error) bool {
	if errors.Is(cause, executor.ErrDetach) {
		a.mu.Lock()
		at.live = false
		a.mu.Unlock()
		return true
	}
	if e, ok := errors.AsType[*executor.NotStartedError](err); ok {
		a.notStarted(at, e)
		return true
	}
	_, lost := errors.AsType[*executor.LostError](err)
	if sub != nil || err == nil || lost {
		return false
	}
	// By the key alone it could not be found out.
	a.mu.Lock()
	defer a.mu.Unlock()
	if at.stopped != "" {
		return false
	}
	at.live = false
	if at.sub != nil {
		// It was, meanwhile.
		a.launch(at)
		return true
	}
	at.reason = "waits to be submitted again: " + cut(err.Error())
	a.touch(at)
	return true
}

// notStarted is for what was certainly not started: the key may be submitted again.
func (a *Agent) notStarted(at *attempt, e *executor.NotStartedError) {
	a.free(at)
	a.mu.Lock()
	if at.stopped != "" {
		a.mu.Unlock()
		a.over(at, executor.Result{}, e)
		return
	}
	defer a.mu.Unlock()
	a.refuse(at, e.Err, e.RetryAfter)
	a.rested()
}

// free gives back what an attempt has leased. It comes before its end is told, so that
// who hears of that has room for another.
func (a *Agent) free(at *attempt) {
	a.mu.Lock()
	room := at.vacate()
	a.mu.Unlock()
	if room != nil {
		room.Release()
	}
}

// refuse notes that an attempt was not started. The caller releases the lease, if there
// is one. a.mu is held.
func (a *Agent) refuse(at *attempt, why error, retryAfter time.Duration) *capacity.Lease {
	at.phase, at.live, at.sub = notStarted, false, nil
	at.reason, at.retryAfter, at.endedAt = cut(why.Error()), retryAfter, time.Now()
	a.open--
	a.ended++
	a.unwatched(at)
	a.keep(at)
	a.touch(at)
	if a.journal != nil {
		a.journal.note(withdrawnRecord(at.key))
	}
	return at.vacate()
}

// classed sees to it that what was stopped for its time limit says so (E7).
func classed(res executor.Result, err, cause error) (executor.Result, error) {
	late := errors.Is(cause, executor.ErrTimeLimit)
	switch {
	case !late, err == nil && (res.OK() || res.Cause != ""):
	case err == nil:
		res.Cause = executor.CauseTime
	case !errors.Is(err, executor.ErrTimeLimit):
		err = errors.Join(executor.ErrTimeLimit, err)
	}
	return res, err
}

// over notes the end of an attempt.
func (a *Agent) over(at *attempt, res executor.Result, err error) {
	told := &wire.Outcome{Result: bounded(res), Failure: boundedFailure(wire.NewFailure(err))}
	a.free(at)
	a.mu.Lock()
	defer a.mu.Unlock()
	if end := at.deadline(); at.stopped == "" && end > 0 && end <= boot.Since() &&
		(told.Failure != nil || !told.Result.OK()) {
		// The keeper has stopped it while this daemon stood still.
		at.stopped = stoppedLease
	}
	a.unwatched(at)
	at.outcome = told
	told.Stopped = at.stopped
	at.phase, at.live, at.sub, at.endedAt = ended, false, nil, time.Now()
	at.inline()
	a.keep(at)
	a.open--
	a.ended++
	a.touch(at)
	if a.journal != nil {
		rec := endedRecord(at)
		a.journal.add(lazy, func(f *flight) {
			f.records = append(f.records, rec)
			f.over = append(f.over, at.key)
		})
	}
	a.rested()
}

// inline tells short outputs with the outcome.
func (at *attempt) inline() {
	o := at.outcome
	if o.Gone {
		return
	}
	var data [2][]byte
	for i := range data {
		short := at.outputs == nil
		if !short {
			data[i], short = at.outputs[i].inline()
		}
		if !short {
			return
		}
	}
	o.Inline, o.Stdout, o.Stderr = true, data[0], data[1]
}

// Texts that an outcome may have, so that it stays a line of reasonable length.
const mostText = 8 << 10

func bounded(r executor.Result) executor.Result {
	r.Message, r.Signal, r.Node = cut(r.Message), cut(r.Signal), cut(r.Node)
	r.Cause = executor.Cause(cut(string(r.Cause)))
	r.Left, r.Unenforced = cutList(r.Left), cutList(r.Unenforced)
	return r
}

func boundedFailure(f *wire.Failure) *wire.Failure {
	if f != nil {
		f.Text, f.Stack = cut(f.Text), cut(f.Stack)
	}
	return f
}

func cut(s string) string {
	if len(s) > mostText {
		return s[:mostText] + "…"
	}
	return s
}

func cutList(l []string) []string {
	const most = 64
	if len(l) > most {
		l = append(l[:most:most], "…")
	}
	l = slices.Clone(l)
	for i, s := range l {
		if len(s) > mostText/most {
			l[i] = s[:mostText/most] + "…"
		}
	}
	return l
}

// rested tells who waits for the end of everything. a.mu is held.
func (a *Agent) rested() {
	if a.open > 0 {
		return
	}
	for _, c := range a.idle {
		close(c)
	}
	a.idle = nil
}

// A limit is the time limit of an attempt, which counts from when it really runs
// (E7).
type limit struct {
	length time.Duration
	stop   func()

	mu      sync.Mutex // guards the following
	timer   *time.Timer
	running bool
	over    bool
}

// newLimit begins to count, unless a durable executor does, or there is none.
func (a *Agent) newLimit(at *attempt, length time.Duration) *limit {
	if a.durable != nil || length <= 0 {
		return nil
	}
	l := &limit{length: length}
	l.stop = func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if at.open() && at.stopped == "" {
			at.stop(executor.ErrTimeLimit)
		}
	}
	l.timer = time.AfterFunc(l.length, l.stop)
	return l
}

// report is told what the executor reports. One that first says that it waits does
// not run yet.
func (l *limit) report(st executor.Status) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || l.running {
		return
	}
	l.running = st.Running
	l.timer.Stop()
	if st.Running {
		l.timer = time.AfterFunc(l.length, l.stop)
	}
}

func (l *limit) end() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.timer.Stop()
}
