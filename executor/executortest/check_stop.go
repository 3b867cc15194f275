package executortest

import (
	"context"
	"errors"

	"github.com/daggy-go/daggy/executor"
)

func e2Checks() []check {
	return []check{
		{"work is asked to stop", asks},
		{"work that takes no notice is ended", kills},
		{"descendants are ended", killsTree},
		{"nothing starts when ctx has ended", startsNothing},
		{"detaching ends work that is not durable", detachEnds},
	}
}

// asks lets the job show that it was asked, by what it prints then.
func asks(l *lab) {
	h := l.hold()
	t := l.start(l.config.Jobs.Wait(h.address()))
	g := h.next(t)
	t.cancel(context.Canceled)
	l.stopped(t, g)
	if !l.weaker(l.config.Weaker.CannotAsk, false, "") {
		t.printed(Stopped)
	}
}

// stopped waits for the end of an attempt that was stopped.
func (l *lab) stopped(t *trial, grips ...*grip) {
	l.Helper()
	if !t.failed() {
		l.Errorf("Run says %v of work that was stopped", t.result)
	}
	for _, g := range grips {
		if !g.ended() {
			l.Error("Run has returned and the work goes on")
		}
	}
}

func kills(l *lab) {
	jobs := l.config.Jobs
	if l.weaker(l.config.Weaker.CannotKill, jobs.Stubborn == nil, "Stubborn") {
		return
	}
	l.impatient()
	h := l.hold()
	t := l.start(jobs.Stubborn(h.address()))
	g := h.next(t)
	t.cancel(context.Canceled)
	l.stopped(t, g)
}

func killsTree(l *lab) {
	jobs := l.config.Jobs
	if l.weaker(l.config.Weaker.NoDescendants, jobs.Tree == nil, "Tree") {
		return
	}
	l.impatient()
	h := l.hold()
	t := l.start(jobs.Tree(h.address()))
	grips := []*grip{h.next(t), h.next(t)}
	t.cancel(context.Canceled)
	l.stopped(t, grips...)
}

func startsNothing(l *lab) {
	h := l.hold()
	t := l.launch(l.executor, l.attempt(l.config.Jobs.Wait(h.address())), context.Canceled)
	if !t.failed() {
		l.Errorf("Run says %v, and ctx had ended before", t.result)
	}
	l.neverStarted(t, h)
}

// neverStarted checks that an attempt whose Run has returned started nothing.
func (l *lab) neverStarted(t *trial, h *hold) {
	l.Helper()
	if !h.none() {
		l.Error("the job was started")
	}
	if wait(t.running, 0) {
		l.Error("it was reported as running")
	}
}

func detachEnds(l *lab) {
	if l.durable() {
		l.Log("not checked: it is durable, see E5")
		return
	}
	h := l.hold()
	t := l.start(l.config.Jobs.Wait(h.address()))
	g := h.next(t)
	t.cancel(executor.ErrDetach)
	l.stopped(t, g)
}

func e3Checks() []check {
	return []check{
		{"what is lost neither runs nor will run", lost},
		{"a stopped attempt is not lost", stoppedIsNotLost},
	}
}

func lost(l *lab) {
	if l.config.Lost == nil {
		l.Log("not checked, declared: Config.Lost is nil")
		return
	}
	fault := l.config.Lost(l)
	h := l.hold()
	t := l.launch(fault.Executor, l.attempt(fault.Job(h.address())), nil)
	res, err := t.wait()
	if _, ok := errors.AsType[*executor.LostError](err); !ok {
		l.Fatalf("Run returned (%v, %v), want a LostError", res, err)
	}
	// It may have run before, but it runs no more.
	for g := h.arrival(); g != nil; g = h.arrival() {
		if !g.ended() {
			l.Error("the attempt is said to be lost and its work goes on")
		}
	}
}

// stoppedIsNotLost: who stops something knows how it ended.
func stoppedIsNotLost(l *lab) {
	h := l.hold()
	t := l.start(l.config.Jobs.Wait(h.address()))
	h.next(t)
	t.cancel(context.DeadlineExceeded)
	if _, err := t.wait(); err != nil {
		if _, ok := errors.AsType[*executor.LostError](err); ok {
			l.Errorf("work that was stopped is said to be lost: %v", err)
		}
	}
}

func e4Checks() []check {
	return []check{{"what is not started can be started later", notStarted}}
}

func notStarted(l *lab) {
	if l.config.NotStarted == nil {
		l.Log("not checked, declared: Config.NotStarted is nil")
		return
	}
	fault := l.config.NotStarted(l)
	h := l.hold()
	a := l.attempt(fault.Job(h.address()))
	t := l.launch(fault.Executor, a, nil)
	res, err := t.wait()
	if _, ok := errors.AsType[*executor.NotStartedError](err); !ok {
		fault.Relieve()
		l.Fatalf("Run returned (%v, %v), want a NotStartedError", res, err)
	}
	l.neverStarted(t, h)
	fault.Relieve()
	again := l.launch(fault.Executor, a, nil)
	h.next(again).release()
	again.succeed()
}

func e7Checks() []check {
	return []check{
		{"running is reported", reportsRunning},
		{"the time limit is the cause", timeLimit},
		{"the time limit holds without an engine", limitHolds},
	}
}

// reportsRunning lets an executor be that reports nothing: its time limits count
// from the call of Run.
func reportsRunning(l *lab) {
	h := l.hold()
	t := l.start(l.config.Jobs.Wait(h.address()))
	h.next(t).release()
	t.succeed()
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !t.heard:
		l.Log("no status is reported, so attempts count as running from the start")
	case !t.reported:
		l.Error("it was reported to wait, and never to run; its time limit would never end")
	}
}

func timeLimit(l *lab) {
	h := l.hold()
	t := l.start(l.config.Jobs.Wait(h.address()))
	g := h.next(t)
	t.cancel(executor.ErrTimeLimit)
	l.stopped(t, g)
	res, err := t.wait()
	if res.Cause != executor.CauseTime && !errors.Is(err, executor.ErrTimeLimit) {
		l.Errorf("Run returned (%v, %v) at the time limit; want the cause %q, or ErrTimeLimit",
			res, err, executor.CauseTime)
	}
	l.taskFailure(t)
}
