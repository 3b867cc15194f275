package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/daggy-go/daggy/runner/internal/plan"
	"github.com/daggy-go/daggy/statelog"
)

// A Handle is a run that was started. All methods are safe for concurrent use.
// Commands return when they are recorded.
type Handle struct{ e *engine }

// ID is the ID of the run.
func (h *Handle) ID() string { return h.e.run }

// Wait waits until the run is over, and returns what [Runner.Run] returns. ctx
// ends only the waiting: then the Report is a [Handle.Snapshot] and the error
// is ctx's cause.
func (h *Handle) Wait(ctx context.Context) (*Report, error) {
	select {
	case <-h.e.finished:
	default:
		select {
		case <-h.e.finished:
		case <-ctx.Done():
			return h.Snapshot(), context.Cause(ctx)
		}
	}
	report := h.Snapshot()
	return report, h.e.runError(report)
}

// Stop interrupts the run: everything that was started is stopped and waited
// for. The run is not closed, so that it can be resumed.
func (h *Handle) Stop(ctx context.Context) error {
	h.e.interrupt(ErrInterrupted)
	return h.await(ctx)
}

// Detach interrupts the run but leaves attempts of durable executors alone, to
// be found again by Resume. Others are stopped.
func (h *Handle) Detach(ctx context.Context) error {
	h.e.detach()
	return h.await(ctx)
}

// Abort kills the run: everything is stopped and the run is closed as killed.
func (h *Handle) Abort(ctx context.Context, reason string) error {
	err := h.command(ctx, func(p *plan.Plan) error {
		if err := p.Abort(time.Now(), reason); err != nil {
			return err
		}
		h.e.stopDeadline()
		return nil
	})
	if err != nil {
		return err
	}
	return h.await(ctx)
}

func (h *Handle) await(ctx context.Context) error {
	select {
	case <-h.e.finished:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Kill ends a task, which is all of its instances, or one instance, for good:
// what runs is stopped, what waits will not start. It is not retried by itself.
// What has succeeded stays so.
func (h *Handle) Kill(ctx context.Context, name string) error {
	return h.decide(ctx, statelog.Kill, name, false)
}

// Hold keeps what has not started of a task or an instance from starting.
func (h *Handle) Hold(ctx context.Context, name string) error {
	return h.decide(ctx, statelog.Hold, name, false)
}

// Release ends a Hold.
func (h *Handle) Release(ctx context.Context, name string) error {
	return h.decide(ctx, statelog.Release, name, false)
}

// Retry gives what failed or was killed of a task or an instance another round
// of attempts, and with downstream also what failed or was killed of everything
// that depends on it. What has succeeded does not run again.
func (h *Handle) Retry(ctx context.Context, name string, downstream bool) error {
	return h.decide(ctx, statelog.Retry, name, downstream)
}

// Pause starts nothing new until Continue. What runs goes on. It is forgotten
// when the engine ends.
func (h *Handle) Pause(ctx context.Context) error {
	return h.command(ctx, func(p *plan.Plan) error { p.Pause(); return nil })
}

// Continue ends a Pause.
func (h *Handle) Continue(ctx context.Context) error {
	return h.command(ctx, func(p *plan.Plan) error { p.Continue(time.Now()); return nil })
}

func (h *Handle) decide(ctx context.Context, d statelog.Decision, name string, all bool) error {
	e := h.e
	err := h.command(ctx, func(p *plan.Plan) error {
		task, instance, err := e.def.find(name)
		if err != nil {
			return err
		}
		return p.Decide(time.Now(), d, task, instance, all)
	})
	if errors.Is(err, plan.ErrNothing) {
		return fmt.Errorf("%w: %q", ErrNothing, name)
	}
	return err
}

// command tells the plan something and waits until that is recorded.
func (h *Handle) command(ctx context.Context, f func(*plan.Plan) error) error {
	e := h.e
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return ErrOver
	}
	switch err := f(e.plan); {
	case errors.Is(err, plan.ErrOver):
		return ErrOver
	case err != nil:
		return err
	}
	target := e.recorded()
	e.pump()
	return e.await(ctx, target)
}

// Snapshot returns the state of the run as it is now.
func (h *Handle) Snapshot() *Report { return h.e.report() }

// Output reads the output of an instance while it runs and afterwards, as far
// as it is kept, see [Output]. The caller closes it.
func (h *Handle) Output(ctx context.Context, name string, q OutputQuery) (io.ReadCloser, error) {
	return h.e.output(ctx, name, q)
}

func (e *engine) output(ctx context.Context, name string, q OutputQuery) (io.ReadCloser, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	task, instance, err := e.def.find(name)
	switch {
	case err != nil:
		return nil, err
	case instance < 0 && e.def.tasks[task].multiplied():
		last := e.def.instanceName(task, e.def.multipliedTo(task)-1)
		return nil, fmt.Errorf("%w %q: it is a task with instances %s to %s, name one of them",
			ErrNoTask, name, e.def.instanceName(task, 0), last)
	case instance < 0:
		instance = 0
	}
	number, open := e.plan.LastAttempt(task, instance)
	if q.Attempt == 0 {
		q.Attempt = number
	}
	key := outputKey{
		task: int32(task), instance: int32(instance), attempt: int32(q.Attempt), stream: q.Stream,
	}
	if key.stream == "" {
		key.stream = Stdout
	}
	if q.Follow {
		e.outputs.followed.Store(true)
	}
	c := e.outputs.find(key)
	if c == nil && q.Follow && open && q.Attempt == number {
		c = e.outputs.capture(key) // its first byte is still to come
	}
	if c == nil {
		c = cmp.Or(e.kept(key), &capture{over: true})
	}
	return &reader{ctx: ctx, c: c, offset: q.Offset, follow: q.Follow}, nil
}
