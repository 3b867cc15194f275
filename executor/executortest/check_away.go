package executortest

import (
	"context"
	"errors"

	"github.com/daggy-go/daggy/executor"
)

// awayChecks are those of rule E5 about what happens while no engine is there.
func awayChecks() []check {
	return []check{
		{"what ends without an engine is found", endsAlone},
		{"two engines get all of the output", twoAttached},
		{"what was killed with its keeper is lost", killedAlone},
		{"what was killed in front of an engine is lost", killedAttached},
	}
}

func endsAlone(l *lab) {
	a, h, g := l.detached()
	g.release()
	if !g.ended() {
		l.Fatal("the work does not end without an engine")
	}
	l.restart()
	t := l.resume(a, nil)
	t.succeed()
	t.printed(Ended)
	if !h.none() {
		l.Error("the key was started again")
	}
}

func twoAttached(l *lab) {
	a, _, g := l.detached()
	l.restart()
	first, second := l.resume(a, nil), l.resume(a, nil)
	for _, t := range []*trial{first, second} {
		if t.returned() {
			l.Fatalf("Run has returned (%v, %v) while the work goes on", t.result, t.err)
		}
	}
	g.release()
	for _, t := range []*trial{first, second} {
		t.succeed()
		t.printed(Ended)
	}
}

// kill ends what keeps the work of the executor, and reports whether it can be.
func (l *lab) kill() bool {
	if l.config.Kill == nil {
		l.Log("not checked, declared: Config.Kill is nil")
		return false
	}
	l.config.Kill(l, l.executor)
	return true
}

func killedAlone(l *lab) {
	a, h, g := l.detached()
	if !l.kill() {
		return
	}
	l.restart()
	l.lostFor(l.resume(a, nil), g)
	l.staysLost(a, h)
}

func killedAttached(l *lab) {
	a, h := l.waiting()
	t := l.launch(l.executor, a, nil)
	g := h.next(t)
	if !l.kill() {
		return
	}
	l.lostFor(t, g)
	l.restart()
	l.staysLost(a, h)
}

// lostFor checks that an attempt is said to be lost, and is (E3).
func (l *lab) lostFor(t *trial, g *grip) {
	l.Helper()
	res, err := t.wait()
	if _, ok := errors.AsType[*executor.LostError](err); !ok {
		l.Fatalf("Run returned (%v, %v) of what was killed, want a LostError", res, err)
	}
	if !g.ended() {
		l.Error("the attempt is said to be lost and its work goes on")
	}
}

// staysLost checks that nothing ever runs under the key.
func (l *lab) staysLost(a *executor.Attempt, h *hold) {
	l.Helper()
	for _, ended := range []error{nil, context.Canceled} {
		again := l.resume(a, ended)
		if !h.none() || !again.failed() {
			l.Error("the key that was lost was started again")
			return
		}
	}
}

// limitHolds lets no engine end ctx: work that may outlive it has its time limit all
// the same (E7).
func limitHolds(l *lab) {
	if !l.durable() {
		l.Log("not checked: it is not durable, so the engine enforces the limit")
		return
	}
	h := l.hold()
	job := l.config.Jobs.Wait(h.address())
	job.TimeLimit = l.config.limit
	res, err := l.start(job).wait()
	if err != nil || res.Cause != executor.CauseTime {
		l.Errorf("Run returned (%v, %v) after the time limit, want the cause %q",
			res, err, executor.CauseTime)
	}
}
