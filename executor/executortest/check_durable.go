package executortest

import (
	"context"
	"errors"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

func e5Checks() []check {
	checks := []check{
		{"a key starts once", startsOnce},
		{"an attempt that was never started starts", startsResumed},
		{"what has ended is found again", findsEnded},
		{"detached work goes on", detachedGoesOn},
		{"detaching beforehand starts nothing and closes nothing", detachedBefore},
		{"attached work can be stopped", stopsAttached},
		{"a closed key does not start", closedDoesNotStart},
		{"closing a key stops what runs", closingStops},
		{"closing a key reports what has ended", closingReports},
		{"what an engine stopped is lost to the next", lostToTheNext},
		{"what an engine closed is lost to the next", closedForTheNext},
		{"a forgotten key does not start", forgottenDoesNotStart},
	}
	checks = append(checks, awayChecks()...)
	for i, c := range checks {
		checks[i].run = func(l *lab) {
			if !l.durable() {
				l.Log("not checked: it is not durable")
				return
			}
			c.run(l)
		}
	}
	return checks
}

func (l *lab) durable() bool {
	d, ok := executor.As[executor.Durable](l.executor)
	return ok && d.Durable()
}

// restart is the end of the engine and the start of another.
func (l *lab) restart() {
	if l.config.Restart != nil {
		l.executor = l.config.Restart(l, l.executor)
	}
}

// waiting is an attempt at [Jobs.Wait].
func (l *lab) waiting() (*executor.Attempt, *hold) {
	l.Helper()
	h := l.hold()
	return l.attempt(l.config.Jobs.Wait(h.address())), h
}

// resume runs an attempt that the log had before.
func (l *lab) resume(a *executor.Attempt, ended error) *trial {
	resumed := *a
	resumed.Resumed = true
	return l.launch(l.executor, &resumed, ended)
}

// detached starts an attempt at [Jobs.Wait] and leaves it alone.
func (l *lab) detached() (*executor.Attempt, *hold, *grip) {
	l.Helper()
	a, h := l.waiting()
	t := l.launch(l.executor, a, nil)
	g := h.next(t)
	t.cancel(executor.ErrDetach)
	t.settle()
	return a, h, g
}

func startsOnce(l *lab) {
	a, h := l.waiting()
	first := l.launch(l.executor, a, nil)
	g := h.next(first)
	second := l.resume(a, nil)
	if !h.none() {
		l.Error("the key was started twice")
	}
	g.release()
	for _, t := range []*trial{first, second} {
		t.succeed()
		t.printed(Ended)
	}
}

func startsResumed(l *lab) {
	a, h := l.waiting()
	t := l.resume(a, nil)
	h.next(t).release()
	t.succeed()
}

func findsEnded(l *lab) {
	a, h := l.waiting()
	t := l.launch(l.executor, a, nil)
	h.next(t).release()
	t.succeed()
	failure := l.attempt(l.config.Jobs.Exit(3))
	l.launch(l.executor, failure, nil).settle()
	l.restart()

	again := l.resume(a, nil)
	again.succeed()
	again.printed(Ended)
	if !h.none() {
		l.Error("the key was started again")
	}
	if res, err := l.resume(failure, nil).wait(); err != nil || res.ExitCode != 3 {
		l.Errorf("exit 3 was found again as (%v, %v)", res, err)
	}
}

func detachedGoesOn(l *lab) {
	a, h, g := l.detached()
	if !g.alive() {
		l.Fatal("detaching has ended the work")
	}
	l.restart()
	t := l.resume(a, nil)
	if !h.none() {
		l.Error("the key was started again")
	}
	g.release()
	t.succeed()
	t.printed(Ended)
}

func detachedBefore(l *lab) {
	a, h := l.waiting()
	l.launch(l.executor, a, executor.ErrDetach).settle()
	if !h.none() {
		l.Fatal("the job was started")
	}
	t := l.resume(a, nil)
	h.next(t).release()
	t.succeed()
}

func stopsAttached(l *lab) {
	a, _, g := l.detached()
	l.restart()
	t := l.resume(a, nil)
	if t.returned() {
		l.Fatalf("Run has returned (%v, %v) while the work goes on", t.result, t.err)
	}
	t.cancel(context.Canceled)
	l.stopped(t, g)
}

func closedDoesNotStart(l *lab) {
	a, h := l.waiting()
	if t := l.launch(l.executor, a, context.Canceled); !t.failed() {
		l.Errorf("closing a key that was not started says %v", t.result)
	}
	late := l.launch(l.executor, a, nil)
	if !h.none() {
		l.Error("a late arrival has started the closed key")
		return
	}
	if !late.failed() {
		l.Errorf("running a closed key says %v", late.result)
	}
	l.restart()
	if again := l.resume(a, nil); !h.none() || !again.failed() {
		l.Error("the closed key starts after a restart")
	}
}

func closingStops(l *lab) {
	a, _, g := l.detached()
	l.restart()
	l.stopped(l.resume(a, context.Canceled), g)
}

func lostToTheNext(l *lab) {
	a, _, g := l.detached()
	l.restart()
	l.stopped(l.resume(a, context.Canceled), g)
	l.restart()
	l.isLost(l.resume(a, nil))
}

func closedForTheNext(l *lab) {
	a, _ := l.waiting()
	l.launch(l.executor, a, context.Canceled).settle()
	l.restart()
	l.isLost(l.resume(a, nil))
}

// isLost waits for a trial that must not count as a failure of the task.
func (l *lab) isLost(t *trial) {
	l.Helper()
	res, err := t.wait()
	if _, ok := errors.AsType[*executor.LostError](err); !ok {
		l.Errorf("what another engine ended is (%v, %v), and not lost", res, err)
	}
}

func closingReports(l *lab) {
	for _, code := range []int{0, 3} {
		a := l.attempt(l.config.Jobs.Exit(code))
		l.launch(l.executor, a, nil).settle()
		res, err := l.resume(a, context.Canceled).wait()
		if err != nil || res.ExitCode != code || res.OK() != (code == 0) {
			l.Errorf("closing a key that has ended with exit %d says (%v, %v)", code, res, err)
		}
	}
}

func forgottenDoesNotStart(l *lab) {
	d, _ := executor.As[executor.Durable](l.executor)
	a, h := l.waiting()
	t := l.launch(l.executor, a, nil)
	h.next(t).release()
	t.succeed()
	unknown := l.attempt(dag.Job{})
	for _, keys := range [][]string{{a.Key}, {a.Key, unknown.Key}, nil} {
		if err := d.Forget(l.Context(), keys...); err != nil {
			l.Errorf("Forget(%q): %v", keys, err)
		}
	}
	l.restart()
	again := l.resume(a, nil)
	if !h.none() {
		l.Error("the forgotten key was started again")
		return
	}
	again.settle()
}
