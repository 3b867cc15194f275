package plan

import (
	"math"
	"time"
)

// timer says when something may start. It may be stale: what it is about is
// looked at again when it fires.
type timer struct {
	at       int64
	task     int32
	instance int32 // -1: the task, for its NotBefore
	attempt  ID    // -1, or an attempt to hand over again
}

// timerHeap has the earliest timer first; equal times go by task and instance,
// so that the same events give the same decisions.
type timerHeap []timer

func (a timer) before(b timer) bool {
	if a.at != b.at {
		return a.at < b.at
	}
	if a.task != b.task {
		return a.task < b.task
	}
	return a.instance < b.instance
}

func (h *timerHeap) push(t timer) {
	*h = append(*h, t)
	s := *h
	for i := len(s) - 1; i > 0; {
		parent := (i - 1) / 2
		if !s[i].before(s[parent]) {
			break
		}
		s[i], s[parent] = s[parent], s[i]
		i = parent
	}
}

func (h *timerHeap) pop() timer {
	s := *h
	top, last := s[0], len(s)-1
	s[0] = s[last]
	s = s[:last]
	*h = s
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			return top
		}
		if child+1 < last && s[child+1].before(s[child]) {
			child++
		}
		if !s[child].before(s[i]) {
			return top
		}
		s[i], s[child] = s[child], s[i]
		i = child
	}
}

// Tick tells the plan the time, at the latest when [Plan.Timer] says.
func (p *Plan) Tick(now time.Time) {
	if p.finished {
		return // nothing may follow the last record
	}
	ns := now.UnixNano()
	for len(p.timers) > 0 && p.timers[0].at <= ns {
		t := p.timers.pop()
		switch {
		case t.attempt >= 0:
			p.handOverAgain(t.attempt, t.task, t.instance)
		case t.instance < 0:
			p.reachNotBefore(t.task, now)
		default:
			p.endBackoff(t.task, t.instance, ns)
		}
	}
	p.settle(now)
}

// Nanoseconds returns t in Unix nanoseconds. Times too far away to be said so are
// the last that can be.
func Nanoseconds(t time.Time) int64 {
	switch last := time.Unix(0, math.MaxInt64); {
	case t.After(last):
		return math.MaxInt64
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	}
	return t.UnixNano()
}

func (p *Plan) waitNotBefore(i int32) {
	t := &p.tasks[i]
	if t.is(timed) {
		return
	}
	t.flags |= timed
	p.timers.push(timer{at: p.policies[t.policy].NotBefore, task: i, instance: -1, attempt: -1})
}

func (p *Plan) reachNotBefore(i int32, now time.Time) {
	t := &p.tasks[i]
	t.flags &^= timed
	if !t.admitted() || p.held(i) {
		return
	}
	if t.is(barrier) {
		if !t.over() {
			p.recordBarrier(i, now)
		}
		return
	}
	p.enqueue(i, now.UnixNano())
}

// wait lets an instance back off until its time. Its state is set.
func (p *Plan) wait(i, instance int32, x *extra) {
	p.timers.push(timer{at: x.at, task: i, instance: instance, attempt: -1})
}

func (p *Plan) endBackoff(i, instance int32, now int64) {
	t := &p.tasks[i]
	k := t.first + instance
	if p.states[k] != backoff || p.extras[k].at > now {
		return
	}
	p.states[k] = waiting
	p.startAgain(i, instance)
	p.enqueue(i, now)
}
