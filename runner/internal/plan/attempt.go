package plan

import (
	"time"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/statelog"
)

// Outcome is how an attempt ended, as its executor and the engine saw it.
type Outcome struct {
	// Class of the end. The plan makes another of it if the engine ended it.
	Class statelog.Class
	// Lost and NotStarted are the errors of these names. Interrupted makes a
	// loss cost nothing.
	Lost, NotStarted, Interrupted bool
	// Own: nobody had asked for the end. It counts, even if the engine was about
	// to stop the attempt or let go of it.
	Own bool
	// RetryAfter is how long to wait at least, after NotStarted.
	RetryAfter time.Duration
	// Permanent: not to be retried.
	Permanent bool
	Start     time.Time
	Result    *executor.Result
	Reason    string
	// Output of a generator that completed, and the tasks it stands for. They
	// are in the graph already.
	Output []byte
	Splice []Task
	// Withdraw names attempts that no executor has, of tasks to which the
	// splice adds parents.
	Withdraw []ID
}

// halted reports whether nothing new may start.
func (p *Plan) halted() bool { return p.stopped || p.paused || p.failFast || p.aborted || p.closed }

// schedule starts what there are slots for, in pools without leases.
func (p *Plan) schedule(now time.Time) {
	if p.halted() {
		return
	}
	for i := range p.pools {
		q := &p.pools[i]
		if q.leased {
			continue
		}
		for q.open < q.limit || q.open-q.ahead < q.limit {
			_, task, ok := q.next(p)
			if !ok {
				break
			}
			p.start(now, task, "")
		}
	}
}

// start records the intent to run the next instance of a task, which must be
// the first of its group.
func (p *Plan) start(now time.Time, i int32, node string) ID {
	t := &p.tasks[i]
	instance, _ := p.pick(i)
	k := t.first + instance
	number := int32(1)
	if len(p.extras) > 0 {
		if x := p.extras[k]; x != nil {
			number = x.number + 1
		}
	}
	r := p.record(statelog.Intent, now, int(i))
	r.Instance, r.Attempt, r.Node = int(instance), int(number), node
	id := p.applyIntent(r)
	p.act(Action{Kind: Start, ID: id})
	g := &p.groups[t.group]
	if _, more := p.pick(i); !more {
		g.pop(p)
		t.flags &^= queued
		p.pools[g.pool].settle(p, t.group)
	}
	return id
}

// Running says that the executor has the attempt now.
func (p *Plan) Running(id ID) {
	if a := &p.attempts[id]; !a.Running {
		a.Running = true
		p.counts[Queued]--
		p.counts[Running]++
	}
}

// Report takes what the executor says of an attempt, and records it if it has
// to be known after a restart.
func (p *Plan) Report(now time.Time, id ID, s executor.Status) {
	a := &p.attempts[id]
	a.Reason = s.Reason
	if (s.Ref == "" || s.Ref == a.Ref) && (s.Node == "" || s.Node == a.Node) {
		return
	}
	r := p.attemptRecord(statelog.Started, now, a)
	r.Node, r.Ref = s.Node, s.Ref
	p.applyStarted(id, r)
}

// Succeed closes an attempt that succeeded and of which there is nothing more to
// say.
func (p *Plan) Succeed(now time.Time, id ID, start time.Time) {
	a := &p.attempts[id]
	p.recover(a)
	r := p.attemptRecord(statelog.Done, now, a)
	r.Start = start
	p.applyDone(id, r, nil)
	p.settle(now)
}

// recover lets the pool of an attempt that its executor could run have more
// slots again, if it has fewer after NotStarted.
func (p *Plan) recover(a *Attempt) {
	q := &p.pools[p.groups[a.Group].pool]
	q.misses = 0
	if q.limit < q.slots {
		q.limit++
	}
}

// Finish closes an attempt, or lets it wait to be handed over again.
func (p *Plan) Finish(now time.Time, id ID, o *Outcome) {
	a := &p.attempts[id]
	if o.NotStarted {
		p.notStarted(now, id, o)
		p.settle(now)
		return
	}
	p.recover(a)
	for _, w := range o.Withdraw {
		p.withdraw(now, w, "another parent was added")
	}
	r := p.attemptRecord(statelog.Done, now, a)
	r.Start, r.Class, r.Result, r.Reason = o.Start, o.Class, o.Result, o.Reason
	if o.Class == statelog.Success && !o.Lost {
		r.Output = o.Output
		p.applyDone(id, r, o.Splice)
	} else {
		p.judge(id, o, r)
		p.applyEnd(id, r)
		if r.Delay < 0 && r.Class != statelog.Killed && p.cfg.FailFast && !p.halting() {
			p.decideFailFast(now, r.Task)
		}
	}
	p.settle(now)
}

// halting reports whether what runs is being stopped for good.
func (p *Plan) halting() bool { return p.failFast || p.aborted }

// judge decides what an attempt that did not succeed means for its instance.
func (p *Plan) judge(id ID, o *Outcome, r *statelog.Record) {
	a := &p.attempts[id]
	t := &p.tasks[a.Task]
	k := t.first + int32(a.Instance)
	var x extra
	if known := p.extras[k]; known != nil {
		x = *known
	}
	policy := &p.policies[t.policy]
	switch {
	case a.stop == statelog.Interrupted && !o.Own, o.Interrupted && a.stop == statelog.Success:
		r.Kind, r.Class = statelog.Lost, statelog.Interrupted
	case a.stop != statelog.Success && a.stop != statelog.Interrupted:
		r.Class, r.Delay = a.stop, -1
	case o.Lost && p.cfg.Lost.exhausted(int(x.losses)+1):
		r.Class, r.Delay = statelog.Infrastructure, -1
	case o.Lost:
		r.Kind, r.Class = statelog.Lost, statelog.Infrastructure
		r.Delay = p.cfg.Lost.Delay(p.cfg.Seed, k, int(x.losses)+1)
	case o.Permanent, int(x.failures) >= policy.MaxRetries:
		r.Delay = -1
	default:
		r.Delay = policy.RetryInterval
	}
	if r.Kind == statelog.Lost && r.Class != statelog.Interrupted && p.halting() {
		r.Kind, r.Class, r.Delay = statelog.Done, statelog.Killed, -1
	} else if r.Kind == statelog.Done && p.halting() {
		r.Delay = -1
	}
}

// notStarted pauses an attempt of which nothing was started, or closes it if it
// is to be stopped anyway.
func (p *Plan) notStarted(now time.Time, id ID, o *Outcome) {
	a := &p.attempts[id]
	if a.stop != statelog.Success || p.stopped {
		p.withdraw(now, id, o.Reason)
		return
	}
	q := &p.pools[p.groups[a.Group].pool]
	q.misses++
	q.limit = max(1, min(q.limit, q.open)/2)
	k := p.tasks[a.Task].first + int32(a.Instance)
	delay := max(o.RetryAfter, throttle.Delay(p.cfg.Seed, k, q.misses))
	a.paused, a.Reason = true, o.Reason
	if a.Running {
		a.Running = false
		p.counts[Running]--
		p.counts[Queued]++
	}
	p.timers.push(timer{
		at:   Nanoseconds(now.Add(delay)),
		task: int32(a.Task), instance: int32(a.Number), attempt: id,
	})
}

// throttle is the pause after an executor could not start anything.
var throttle = Backoff{Min: 20 * time.Millisecond, Max: 5 * time.Second}

// handOverAgain ends the pause of an attempt, if it is still the same.
func (p *Plan) handOverAgain(id ID, task, number int32) {
	a := &p.attempts[id]
	if !a.open || !a.paused || a.Task != int(task) || a.Number != int(number) {
		return
	}
	a.paused = false
	p.act(Action{Kind: Start, ID: id})
}

// Again hands over an attempt that was replayed and is still open.
func (p *Plan) Again(id ID) { p.act(Action{Kind: Start, ID: id}) }

// Withdraw closes attempts that no executor has, at no cost: the start that was
// asked for will not be.
func (p *Plan) Withdraw(now time.Time, ids ...ID) {
	for _, id := range ids {
		p.withdraw(now, id, "")
	}
	p.settle(now)
}

func (p *Plan) withdraw(now time.Time, id ID, reason string) {
	a := &p.attempts[id]
	r := p.attemptRecord(statelog.NotStarted, now, a)
	r.Reason = reason
	if a.stop != statelog.Interrupted {
		r.Class = a.stop
	}
	p.applyEnd(id, r)
}

// settle starts what may start and closes the run when nothing can.
func (p *Plan) settle(now time.Time) {
	p.schedule(now)
	p.closeIfOver(now)
}
