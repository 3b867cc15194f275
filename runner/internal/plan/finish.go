package plan

import (
	"time"

	"github.com/daggy-go/daggy/statelog"
)

// States of a closed run, as they stand in its record.
const (
	RunCompleted = "completed"
	RunFailed    = "failed"
	RunKilled    = "killed"
)

// closeIfOver closes the run when nothing runs, can start or waits for
// anything but its parents. What is still waiting then is skipped (R2).
func (p *Plan) closeIfOver(now time.Time) {
	if p.finished || p.counts[Queued]+p.counts[Running] > 0 || p.anyOpen() {
		return
	}
	switch {
	case p.stopped:
		p.finished = true
		p.record(statelog.Detached, now, 0)
		p.act(Action{Kind: Close})
		return
	case p.failFast || p.aborted:
	case len(p.timers) > 0 && p.anyTimer(), p.anyReady(), p.anyHeld():
		return
	}
	p.applyClosed()
	p.record(statelog.Closed, now, 0).State = p.Verdict()
	p.finished = true
	p.act(Action{Kind: Close})
}

func (p *Plan) applyClosed() {
	p.closed = true
	p.counts[Skipped] += p.counts[Waiting]
	p.counts[Waiting] = 0
}

// Verdict is the state of a run that is closed.
func (p *Plan) Verdict() string {
	switch {
	case p.aborted:
		return RunKilled
	case p.counts[Skipped]+p.counts[Failed]+p.counts[Killed] > 0:
		return RunFailed
	}
	return RunCompleted
}

// anyOpen finds attempts that were replayed and not taken up again.
func (p *Plan) anyOpen() bool {
	for range p.Opens {
		return true
	}
	return false
}

// anyTimer reports whether a timer still matters. It drops those in front that
// do not.
func (p *Plan) anyTimer() bool {
	for len(p.timers) > 0 {
		t := p.timers[0]
		switch {
		case t.attempt >= 0: // it was closed meanwhile: none is open
		case t.instance < 0:
			if task := &p.tasks[t.task]; task.admitted() && !task.over() {
				return true
			}
			p.tasks[t.task].flags &^= timed
		case p.states[p.tasks[t.task].first+t.instance] == backoff:
			return true
		}
		p.timers.pop()
	}
	return false
}

func (p *Plan) anyReady() bool {
	for i := range p.pools {
		q := &p.pools[i]
		if _, _, ok := q.next(p); ok {
			return true
		}
		for _, id := range q.blocked {
			if _, ok := p.first(&p.groups[id]); ok {
				return true
			}
		}
	}
	return false
}

// anyHeld reports whether something that is held could start otherwise.
func (p *Plan) anyHeld() bool {
	for i := range p.heldAll {
		if t := &p.tasks[i]; t.admitted() && !t.over() {
			return true
		}
	}
	if len(p.heldOne) == 0 {
		return false
	}
	for i := range p.tasks {
		t := &p.tasks[i]
		if !t.admitted() || t.over() {
			continue
		}
		for k := t.first; k < t.first+t.instances; k++ {
			if p.isHeldOne(k) && p.states[k] == waiting {
				return true
			}
		}
	}
	return false
}

// indexAll rebuilds queues and timers from what was applied.
func (p *Plan) indexAll(now time.Time) {
	ns := now.UnixNano()
	p.timers = p.timers[:0]
	clear(p.again)
	for i := range p.pools {
		q := &p.pools[i]
		q.ready, q.blocked = q.ready[:0], q.blocked[:0]
		q.probed = 0
	}
	for i := range p.groups {
		g := &p.groups[i]
		g.reset()
		g.place, g.blocked = -1, false
	}
	for i := range p.tasks {
		p.tasks[i].flags &^= queued | timed
	}
	for i := range p.tasks {
		p.indexTask(int32(i), ns)
	}
}

func (p *Plan) indexTask(i int32, now int64) {
	t := &p.tasks[i]
	if t.over() {
		return
	}
	// Also of one that its parents hold back: it may have been withdrawn.
	for instance := range t.next {
		k := t.first + instance
		switch p.states[k] {
		case waiting:
			p.startAgain(i, instance)
		case backoff:
			// Wall clocks may have been set: never wait longer than was meant.
			x := p.extras[k]
			x.at = min(x.at, Nanoseconds(time.Unix(0, now).Add(x.delay)))
			p.wait(i, instance, x)
		default: // it runs or is over
		}
	}
	if t.admitted() {
		p.arrive(i, now)
	}
}
