package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/daggy-go/daggy/executor"
)

// errClosed is what a key that was closed or forgotten says.
var errClosed = errors.New("sim: the key is closed and does not start again")

// A work is what goes on outside, whether or not somebody attends to it.
type work struct {
	Behaviour
	start  Start
	ends   time.Time     // of its own accord, unless Until holds it up
	done   chan struct{} // closed when outcome is known
	closed bool          // a tombstone: nothing else is set
	begin  sync.Once
	alone  sync.Once   // it goes on without an engine
	limit  *time.Timer // ends it, if it is durable and may not run longer; or nil

	mu      sync.Mutex // guards what follows
	begun   bool
	ending  bool // done is about to be closed
	stopped bool
	outcome outcome
}

func newWork(b Behaviour, a *executor.Attempt) *work {
	start := Start{
		Run: a.Run, Task: a.Task, Instance: a.Instance, Number: a.Number, Key: a.Key,
		Node: a.Node, Time: time.Now().Add(b.Wait),
	}
	return &work{
		Behaviour: b,
		start:     start,
		ends:      start.Time.Add(b.Duration),
		done:      make(chan struct{}),
	}
}

// refusal is what a key says that is done with: what an engine stopped is not
// the task's failure, whoever asks next (E5).
func (w *work) refusal() error {
	if w.closed || w.wasStopped() {
		return &executor.LostError{Err: errClosed}
	}
	return nil
}

func (w *work) wasStopped() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stopped && w.outcome.result.Cause != executor.CauseTime
}

// attend waits for the end of the work, which it brings about itself when the
// time has come or ctx ends.
func (e *Executor) attend(
	ctx context.Context, a *executor.Attempt, w *work,
) (executor.Result, error) {
	if w.Wait > 0 {
		a.Report(executor.Status{Reason: "waits in a simulated queue"})
	}
	if !w.sleep(ctx, w.start.Time) {
		if e.leave(ctx, w) {
			return executor.Result{}, context.Cause(ctx)
		}
		e.end(w, outcome{err: fmt.Errorf("sim: not started: %w", context.Cause(ctx))}, true)
		return w.result()
	}
	w.begin.Do(func() { e.began(w) })
	a.Report(executor.Status{Running: true})
	if err := w.print(a); err != nil {
		e.end(w, outcome{err: err}, true)
		return w.result()
	}
	if w.sleep(ctx, w.ends) && w.held(ctx) {
		e.end(w, w.Behaviour.outcome(w.start.Number), false)
	} else if e.leave(ctx, w) {
		return executor.Result{}, context.Cause(ctx)
	} else {
		e.stop(ctx, w)
	}
	if err := w.printLast(a); err != nil {
		return executor.Result{}, err
	}
	return w.result()
}

// leave reports whether ctx asks to leave the work alone. It then comes to its end
// by itself.
func (e *Executor) leave(ctx context.Context, w *work) bool {
	if !e.config.Durable || !detached(ctx) {
		return false
	}
	w.alone.Do(func() {
		time.AfterFunc(time.Until(w.start.Time), func() {
			w.begin.Do(func() { e.began(w) })
		})
		time.AfterFunc(time.Until(w.ends), func() {
			w.begin.Do(func() { e.began(w) })
			w.held(context.WithoutCancel(ctx))
			e.end(w, w.Behaviour.outcome(w.start.Number), false)
		})
	})
	return true
}

// bound has durable work end when its time is over, whether or not an engine is
// there (E7).
func (e *Executor) bound(w *work, limit time.Duration) {
	if limit <= 0 {
		return
	}
	w.limit = time.AfterFunc(time.Until(w.start.Time.Add(limit)), func() {
		e.end(w, outcome{result: executor.Result{
			ExitCode: -1, Signal: "SIGTERM", Cause: executor.CauseTime,
			Message: executor.ErrTimeLimit.Error(),
		}}, true)
	})
}

// stop ends the work, or lets it go on to its own end if it will not listen.
func (e *Executor) stop(ctx context.Context, w *work) {
	deaf := context.WithoutCancel(ctx)
	if w.IgnoreStop {
		w.sleep(deaf, w.ends)
		w.held(deaf)
		e.end(w, w.Behaviour.outcome(w.start.Number), false)
		return
	}
	w.sleep(deaf, time.Now().Add(w.StopTime))
	res := executor.Result{ExitCode: -1, Signal: "SIGTERM", Message: context.Cause(ctx).Error()}
	if errors.Is(context.Cause(ctx), executor.ErrTimeLimit) {
		res.Cause = executor.CauseTime
	}
	e.end(w, outcome{result: res}, true)
}

// sleep waits until t or until the work is done, and returns false if ctx ends
// before. What has happened already counts, whatever ctx says.
func (w *work) sleep(ctx context.Context, t time.Time) bool {
	d := time.Until(t)
	if d <= 0 || w.over() {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.done:
		return true
	case <-ctx.Done():
		return false
	}
}

// held waits for Until in the same way.
func (w *work) held(ctx context.Context) bool {
	if w.Until == nil || w.over() {
		return true
	}
	select {
	case <-w.Until:
		return true
	default:
	}
	select {
	case <-w.Until:
		return true
	case <-w.done:
		return true
	case <-ctx.Done():
		return false
	}
}

func (w *work) over() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// print writes what is printed at the start.
func (w *work) print(a *executor.Attempt) error {
	if err := write(a.Stdout, w.Stdout); err != nil {
		return err
	}
	if err := write(a.Stderr, w.Stderr); err != nil {
		return err
	}
	if w.Output == nil {
		return nil
	}
	return w.Output(a.Stdout, a.Stderr)
}

// printLast writes what is printed at the end.
func (w *work) printLast(a *executor.Attempt) error {
	w.mu.Lock()
	stopped := w.stopped
	w.mu.Unlock()
	if stopped {
		return nil
	}
	return write(a.Stdout, w.Last)
}

func write(to io.Writer, text string) error {
	if text == "" {
		return nil
	}
	if _, err := io.WriteString(to, text); err != nil {
		return fmt.Errorf("sim: output: %w", err)
	}
	return nil
}

// result returns or panics with what has become of the work.
func (w *work) result() (executor.Result, error) {
	<-w.done
	w.mu.Lock()
	o := w.outcome
	w.mu.Unlock()
	switch {
	case o.panic != nil:
		panic(o.panic)
	case o.err != nil:
		return executor.Result{}, o.err
	}
	return o.result, nil
}
