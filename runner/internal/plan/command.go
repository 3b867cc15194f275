package plan

import (
	"errors"
	"fmt"
	"time"

	"github.com/daggy-go/daggy/statelog"
)

// Refusals of commands.
var (
	// ErrOver: the run is closed or being stopped for good.
	ErrOver = errors.New("the run is over")
	// ErrNothing: there is nothing to do it to.
	ErrNothing = errors.New("there is nothing to do it to")
)

// Decide records a decision about an instance of a task, or about all of them
// ([statelog.WholeTask]), and carries it out. all widens a retry to everything
// downstream.
func (p *Plan) Decide(now time.Time, d statelog.Decision, task, instance int, all bool) error {
	if p.closed || p.halting() || p.finished {
		return ErrOver
	}
	r := statelog.Record{
		Kind: statelog.Decided, Time: now, Decision: d, Task: task, Instance: instance, All: all,
	}
	if !p.matters(&r) {
		return ErrNothing
	}
	*p.record(r.Kind, now, r.Task) = r
	if err := p.applyDecided(&r); err != nil {
		return err
	}
	if d == statelog.Hold {
		p.recall(func(a *Attempt) bool {
			return a.Task == task && (instance == statelog.WholeTask || a.Instance == instance)
		})
	}
	if d == statelog.Kill || d == statelog.Hold {
		p.freedAll() // who does not want any more leaves the line
	}
	p.settle(now)
	return nil
}

// matters reports whether a decision would change anything.
func (p *Plan) matters(r *statelog.Record) bool {
	found := false
	p.affected(r, func(i, instance int32) bool {
		t := &p.tasks[i]
		s := p.states[t.first+instance]
		switch r.Decision {
		case statelog.Kill, statelog.Hold:
			found = s == waiting || s == open || s == backoff
		case statelog.Release:
			found = p.isHeldOne(t.first+instance) || r.Instance == statelog.WholeTask && p.held(i)
		case statelog.Retry:
			found = s == failed || s == killed
		default:
			found = true
		}
		return !found
	})
	return found
}

// affected yields the instances that a decision is about.
func (p *Plan) affected(r *statelog.Record, yield func(task, instance int32) bool) {
	each := func(i int32, from, to int32) bool {
		for k := from; k < to; k++ {
			if !yield(i, k) {
				return false
			}
		}
		return true
	}
	from, to := p.tasks[r.Task].instancesOf(r.Instance)
	if !each(int32(r.Task), from, to) || !r.All {
		return
	}
	seen := map[int32]bool{int32(r.Task): true}
	work := []int32{int32(r.Task)}
	for len(work) > 0 {
		i := work[0]
		work = work[1:]
		for _, c := range p.graph.Children(int(i)) {
			if seen[c] {
				continue
			}
			seen[c] = true
			work = append(work, c)
			if !each(c, 0, p.tasks[c].instances) {
				return
			}
		}
	}
}

func (p *Plan) applyDecided(r *statelog.Record) error {
	now := r.Time.UnixNano()
	switch r.Decision {
	case statelog.Kill:
		p.applyKill(r)
	case statelog.Hold:
		p.applyHold(r)
	case statelog.Release:
		p.applyRelease(r, now)
	case statelog.Retry:
		p.affected(r, func(i, instance int32) bool { p.applyRetry(i, instance, now); return true })
	case statelog.FailFast:
		p.failFast = true
		p.giveUpRetries()
		p.freedAll()
		p.stopAll(statelog.Killed)
	case statelog.Abort:
		p.aborted = true
		p.giveUpRetries()
		p.freedAll()
		p.stopAll(statelog.Killed)
	default:
		return fmt.Errorf("record %d decides something unknown, %d", r.Seq, r.Decision)
	}
	return nil
}

func (p *Plan) applyKill(r *statelog.Record) {
	opens := map[int32]struct{}{}
	p.affected(r, func(i, instance int32) bool {
		t := &p.tasks[i]
		k := t.first + instance
		switch p.states[k] {
		case waiting, backoff:
			p.states[k] = killed
			t.settled++
			t.bad++
			p.counts[Waiting]--
			p.counts[Killed]++
		case open:
			opens[k] = struct{}{}
		default: // it is over, and stays so
		}
		return true
	})
	if len(opens) == 0 {
		return
	}
	for id, a := range p.Opens {
		if _, ok := opens[p.tasks[a.Task].first+int32(a.Instance)]; ok {
			p.stop(id, a, statelog.Killed)
		}
	}
}

// stop asks for the end of an attempt. The first reason stands.
func (p *Plan) stop(id ID, a *Attempt, why statelog.Class) {
	if a.stop != statelog.Success {
		return
	}
	a.stop = why
	p.act(Action{Kind: Stop, ID: id, Class: why})
}

// recall takes back those attempts that no executor has.
func (p *Plan) recall(which func(*Attempt) bool) {
	for id, a := range p.Opens {
		if !a.Running && a.stop == statelog.Success && which(a) {
			p.act(Action{Kind: Recall, ID: id})
		}
	}
}

func (p *Plan) stopAll(why statelog.Class) {
	for id, a := range p.Opens {
		p.stop(id, a, why)
	}
}

func (p *Plan) applyHold(r *statelog.Record) {
	if r.Instance == statelog.WholeTask {
		p.heldAll[int32(r.Task)] = struct{}{}
		return
	}
	p.heldOne[p.tasks[r.Task].first+int32(r.Instance)] = struct{}{}
}

func (p *Plan) applyRelease(r *statelog.Record, now int64) {
	i := int32(r.Task)
	t := &p.tasks[i]
	if r.Instance == statelog.WholeTask {
		delete(p.heldAll, i)
	}
	if len(p.heldOne) > 0 {
		from, to := t.instancesOf(r.Instance)
		for k := from; k < to; k++ {
			if !p.isHeldOne(t.first + k) {
				continue
			}
			delete(p.heldOne, t.first+k)
			if k < t.next && p.states[t.first+k] == waiting {
				p.startAgain(i, k)
			}
		}
	}
	if t.admitted() && !t.over() {
		p.arrive(i, now)
	}
}

func (p *Plan) applyRetry(i, instance int32, now int64) {
	t := &p.tasks[i]
	k := t.first + instance
	s := p.states[k]
	if s != failed && s != killed {
		return
	}
	p.states[k] = waiting
	t.settled--
	t.bad--
	p.counts[publicStates[s]]--
	p.counts[Waiting]++
	if x := p.extras[k]; x != nil {
		x.failures, x.losses = 0, 0
	}
	if instance < t.next {
		p.startAgain(i, instance)
	}
	if t.admitted() {
		p.arrive(i, now)
	}
}

// giveUpRetries makes failures of the instances that failed and wait for their
// next attempt, which will not be. Whether the time for it has come already is
// not recorded, so it must not matter.
func (p *Plan) giveUpRetries() {
	for i := range p.tasks {
		t := &p.tasks[i]
		if t.over() || len(p.extras) == 0 {
			continue
		}
		for k := t.first; k < t.first+min(t.next, t.instances); k++ {
			s := p.states[k]
			if x := p.extras[k]; (s == backoff || s == waiting) && x != nil && x.failures > 0 {
				p.states[k] = failed
				t.settled++
				t.bad++
				p.counts[Waiting]--
				p.counts[Failed]++
			}
		}
	}
}

func (p *Plan) decideFailFast(now time.Time, task int) {
	r := statelog.Record{
		Kind: statelog.Decided, Time: now, Decision: statelog.FailFast,
		Task: task, Instance: statelog.WholeTask,
	}
	*p.record(r.Kind, now, r.Task) = r
	_ = p.applyDecided(&r) // cannot fail: the decision is known
}

// Abort kills the run.
func (p *Plan) Abort(now time.Time, reason string) error {
	if p.closed || p.aborted || p.finished {
		return ErrOver
	}
	r := statelog.Record{
		Kind: statelog.Decided, Time: now, Decision: statelog.Abort, Reason: reason,
		Task: statelog.WholeTask, Instance: statelog.WholeTask,
	}
	*p.record(r.Kind, now, r.Task) = r
	err := p.applyDecided(&r)
	p.settle(now)
	return err
}

// Interrupt starts nothing more and ends what runs, so that the run can go on
// later.
func (p *Plan) Interrupt(now time.Time) {
	if p.stopped || p.closed {
		return
	}
	p.stopped = true
	p.freedAll()
	p.stopAll(statelog.Interrupted)
	p.settle(now)
}

// Interrupted reports whether Interrupt was called.
func (p *Plan) Interrupted() bool { return p.stopped }

// Abandon gives up an attempt whose executor does not return. It stays open in
// the log; the run is interrupted without it.
func (p *Plan) Abandon(id ID) {
	a := &p.attempts[id]
	a.open = false
	k := p.tasks[a.Task].first + int32(a.Instance)
	p.states[k] = waiting
	p.extra(k).number = int32(a.Number)
	if a.Running {
		p.counts[Running]--
	} else {
		p.counts[Queued]--
	}
	p.counts[Waiting]++
}

// Pause starts nothing new until Continue. It is not recorded.
func (p *Plan) Pause() {
	p.paused = true
	p.recall(func(*Attempt) bool { return true })
	p.freedAll()
}

// Continue ends Pause.
func (p *Plan) Continue(now time.Time) {
	p.paused = false
	p.freedAll()
	p.settle(now)
}

// freedAll has what is refused asked for again, or has it leave if nothing may
// start.
func (p *Plan) freedAll() {
	for i := range p.pools {
		p.Freed(i)
	}
}

func (p *Plan) applyReopened() {
	p.closed, p.finished, p.failFast, p.aborted = false, false, false, false
	p.counts[Waiting] += p.counts[Skipped]
	p.counts[Skipped] = 0
}
