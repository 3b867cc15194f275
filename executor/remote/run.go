package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
	"github.com/daggy-go/daggy/internal/invocation"
)

// Run runs an attempt on Attempt.Node, and on the only node there is if that is "".
// See the package comment.
func (e *Executor) Run(ctx context.Context, a *executor.Attempt) (executor.Result, error) {
	ended := ctx.Err() != nil
	if ended && e.detaches(ctx) {
		return executor.Result{}, context.Cause(ctx)
	}
	n, err := e.nodeFor(a)
	if err != nil {
		return executor.Result{}, err
	}
	w, err := n.join(a, n.describe(a), ended)
	if err != nil {
		return executor.Result{}, err
	}
	defer e.left(w)
	r := &run{waiter: w, ctx: ctx, attempt: a}
	r.stdout, r.stderr = newOutput(a.Stdout, wire.PathStdout), newOutput(a.Stderr, wire.PathStderr)
	if invocation.Joined(a.Stdout, a.Stderr) {
		r.stderr = nil
	}
	if !ended {
		defer context.AfterFunc(ctx, r.ended)()
	}
	if a.Job.TimeLimit > 0 {
		a.Report(executor.Status{Reason: "sent to node " + n.name}) // else it would count from here
	}
	return r.wait()
}

// detaches reports whether ctx asks for the work to be left alone.
func (e *Executor) detaches(ctx context.Context) bool {
	return e.Durable() && errors.Is(context.Cause(ctx), executor.ErrDetach)
}

// nodeFor returns the node of an attempt, which stays until that has joined it, and notes
// that it is there. What may have been started on a node that is not in the fleet has to
// wait for it.
func (e *Executor) nodeFor(a *executor.Attempt) (*node, error) {
	if err := wire.CheckKey(a.Key); err != nil {
		return nil, executor.Permanent(fmt.Errorf("remote: key %q: %w", a.Key, err))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return nil, errClosed
	}
	name := a.Node
	if name == "" {
		if len(e.nodes) != 1 {
			return nil, executor.Permanent(fmt.Errorf("remote: no node was leased for the "+
				"attempt, and there are %d to choose from", len(e.nodes)))
		}
		for only := range e.nodes {
			name = only
		}
	}
	n := e.nodes[name]
	if n == nil && a.Resumed {
		n = newNode(e, name)
		n.why = "it is not in the fleet; add it, or say that it is gone"
		e.nodes[name] = n
	}
	if n == nil || !n.expect(a.Resumed) {
		// It left between the lease and now.
		return nil, &executor.LostError{Err: fmt.Errorf(
			"remote: node %q: never sent: it is not in the fleet", name)}
	}
	e.kept[a.Key] = n
	return n, nil
}

// left ends a call of Run. Nobody calls Forget for what is not durable.
func (e *Executor) left(w *waiter) {
	w.leave()
	if e.Durable() {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.kept, w.key)
}

// describe makes a submission of an attempt.
func (n *node) describe(a *executor.Attempt) *wire.Submission {
	s := &wire.Submission{
		Key: a.Key, Run: a.Run, Task: a.Task, Instance: a.Instance,
		Index: a.Index, Number: a.Number, Job: a.Job, PoolOptions: a.PoolOptions,
		Node: n.name, Lease: n.config.Lease,
	}
	if a.Stdout == io.Discard {
		s.Stdout = wire.Drop
	}
	switch {
	case a.Stderr == io.Discard:
		s.Stderr = wire.Drop
	case invocation.Joined(a.Stdout, a.Stderr):
		s.Stderr = wire.Join
	}
	return s
}

// run is one call of Run.
type run struct {
	*waiter
	ctx            context.Context //nolint:containedctx // of the call that this is
	attempt        *executor.Attempt
	stdout, stderr *output
	told           bool   // that it runs
	reason         string // told last
}

// ended is called when ctx has ended.
func (r *run) ended() {
	n := r.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.detaches(r.ctx) {
		cause := ""
		if errors.Is(context.Cause(r.ctx), executor.ErrTimeLimit) {
			cause = "time"
		}
		n.close(r.entry, cause, false)
	}
	r.notify()
}

// A glance is what a waiter sees of its entry.
type glance struct {
	state  wire.State
	over   bool
	err    error
	absent string // why the node cannot be reached
}

func (r *run) look() glance {
	n := r.node
	n.mu.Lock()
	defer n.mu.Unlock()
	g := glance{state: r.state, over: r.over, err: r.err}
	switch {
	case r.foreign:
		g.absent = errForeign.Error()
	case !n.up:
		g.absent = n.absence()
	}
	return g
}

// wait goes on until the attempt is over, and copies its output meanwhile.
func (r *run) wait() (executor.Result, error) {
	var timer *time.Timer
	for {
		g := r.look()
		if r.node.detaches(r.ctx) && r.ctx.Err() != nil {
			return executor.Result{}, context.Cause(r.ctx)
		}
		r.report(&g)
		if g.over {
			return r.finish(&g)
		}
		pause := r.copy(&g)
		if pause > 0 && timer == nil {
			timer = time.NewTimer(pause)
			defer timer.Stop()
		} else if pause > 0 {
			timer.Reset(pause)
		}
		if err := r.sleep(timer, pause > 0); err != nil {
			return executor.Result{}, err
		}
	}
}

// sleep waits for news.
func (r *run) sleep(timer *time.Timer, timed bool) error {
	var tick <-chan time.Time
	if timed {
		tick = timer.C
	}
	select {
	case <-r.signal:
	case <-tick:
	case <-r.node.closed:
		return errClosed
	}
	return nil
}

// report tells the engine what is new to it.
func (r *run) report(g *glance) {
	if g.over || r.told {
		return
	}
	if g.state.State == wire.Running {
		r.told, r.reason = true, ""
		r.node.mu.Lock()
		ref := r.ref()
		r.node.mu.Unlock()
		r.attempt.Report(executor.Status{Running: true, Ref: ref, Node: r.node.name})
		return
	}
	reason := g.state.Reason
	if g.absent != "" {
		reason = fmt.Sprintf("node %q: %s", r.node.name, g.absent)
	}
	if reason != r.reason {
		r.reason = reason
		r.attempt.Report(executor.Status{Reason: reason})
	}
}

// finish says how the attempt ended, with all of its output.
func (r *run) finish(g *glance) (executor.Result, error) {
	if g.err != nil {
		if errors.Is(g.err, errUnsent) && r.ctx.Err() != nil {
			return executor.Result{}, context.Cause(r.ctx)
		}
		return executor.Result{}, g.err
	}
	if g.state.State == wire.Closed {
		if r.ctx.Err() != nil {
			return executor.Result{}, context.Cause(r.ctx)
		}
		return executor.Result{}, r.node.lost("the key was closed before it had started")
	}
	o := g.state.Outcome
	if o == nil {
		return executor.Result{}, errors.New("remote: the daemon does not say how it ended")
	}
	stopped := r.stoppedByOthers(o)
	copied := r.copyRest(g, !stopped)
	if stopped {
		return executor.Result{}, r.node.lost(stopText(o.Stopped))
	}
	result, err := r.outcome(o)
	if err == nil && copied != nil {
		if lost, ok := errors.AsType[*executor.LostError](copied); ok {
			return executor.Result{}, lost
		}
		if result.OK() {
			return result, copied
		}
		if result.Message == "" {
			result.Message = copied.Error()
		}
	}
	return result, err
}

// stoppedByOthers reports whether another engine, or the daemon, stopped an attempt that
// had not succeeded and whose task is not to blame: then it is lost (E5).
func (r *run) stoppedByOthers(o *wire.Outcome) bool {
	result, err := o.Result, o.Failure.Err()
	stopped := o.Stopped != "" && (o.Stopped != wire.StoppedClosed || r.ctx.Err() == nil)
	decided := err == nil && (result.OK() || result.Cause != "") ||
		errors.Is(err, executor.ErrTimeLimit)
	return stopped && !decided
}

// outcome is the end of an attempt that nobody else stopped.
func (r *run) outcome(o *wire.Outcome) (executor.Result, error) {
	result, err := o.Result, o.Failure.Err()
	result.Node = r.node.name
	if err == nil && !result.OK() && result.Cause == "" &&
		errors.Is(context.Cause(r.ctx), executor.ErrTimeLimit) {
		result.Cause = executor.CauseTime
	}
	gone := o.Gone || r.stdout != nil && r.stdout.gone || r.stderr != nil && r.stderr.gone
	if gone && result.Message == "" {
		result.Message = "its output is not kept any more"
	}
	return result, err
}

func stopText(stopped string) string {
	switch stopped {
	case wire.StoppedLease:
		return "it was stopped because its lease was over"
	case wire.StoppedShutdown:
		return "it was stopped when the daemon ended"
	}
	return "it was stopped on account of somebody else"
}
