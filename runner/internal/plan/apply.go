package plan

import (
	"fmt"
	"time"

	"github.com/daggy-go/daggy/statelog"
)

// Apply replays a record. splice is what the output of a generator's Done
// stands for, already in the graph. The caller serialises it with everything
// else and calls [Plan.Restart] after the last one.
func (p *Plan) Apply(r *statelog.Record, splice []Task) error {
	switch r.Kind {
	case statelog.Opened:
		p.admitRoots(0, r.Time.UnixNano())
		return nil
	case statelog.Resumed:
		p.applyTakenUp()
		return nil
	case statelog.Detached:
		p.detached = true
		return nil
	case statelog.Reopened:
		p.applyTakenUp()
		p.applyReopened()
		return nil
	case statelog.Closed:
		p.applyClosed()
		return nil
	default: // it is about a task
	}
	if r.Task < 0 || r.Task >= len(p.tasks) {
		if r.Kind == statelog.Decided && r.Task == statelog.WholeTask {
			return p.applyDecided(r)
		}
		return fmt.Errorf("record %d is about task %d of %d", r.Seq, r.Task, len(p.tasks))
	}
	t := &p.tasks[r.Task]
	if r.Instance >= int(t.instances) || r.Instance < statelog.WholeTask ||
		(r.Instance == statelog.WholeTask && r.Kind != statelog.Decided) {
		return fmt.Errorf("record %d is about instance %d of %d of task %d",
			r.Seq, r.Instance, t.instances, r.Task)
	}
	switch r.Kind {
	case statelog.Intent:
		return p.replayIntent(r)
	case statelog.Started, statelog.Done, statelog.Lost, statelog.NotStarted:
		return p.replayAttempt(r, splice)
	case statelog.Decided:
		return p.applyDecided(r)
	default:
		return fmt.Errorf("record %d is of unknown kind %d", r.Seq, r.Kind)
	}
}

func (p *Plan) replayIntent(r *statelog.Record) error {
	t := &p.tasks[r.Task]
	switch s := p.states[t.first+int32(r.Instance)]; {
	case s != waiting && s != backoff:
		return fmt.Errorf("record %d starts instance %d of task %d, which has started or is over",
			r.Seq, r.Instance, r.Task)
	case !t.admitted():
		return fmt.Errorf("record %d starts task %d before its parents completed", r.Seq, r.Task)
	}
	if p.replayed == nil {
		p.replayed = map[int32]ID{}
	}
	p.replayed[t.first+int32(r.Instance)] = p.applyIntent(r)
	return nil
}

func (p *Plan) replayAttempt(r *statelog.Record, splice []Task) error {
	t := &p.tasks[r.Task]
	if t.is(barrier) && r.Kind == statelog.Done {
		p.applyBarrier(r)
		return nil
	}
	k := t.first + int32(r.Instance)
	id, ok := p.replayed[k]
	if !ok || p.attempts[id].Number != r.Attempt {
		return fmt.Errorf("record %d is about attempt %d of instance %d of task %d, "+
			"which is not open", r.Seq, r.Attempt, r.Instance, r.Task)
	}
	if r.Kind != statelog.Started {
		delete(p.replayed, k)
	}
	switch {
	case r.Kind == statelog.Started:
		p.applyStarted(id, r)
	case r.Kind == statelog.Done && r.Class == statelog.Success:
		p.applyDone(id, r, splice)
	default:
		p.applyEnd(id, r)
	}
	return nil
}

// admitRoots lets the tasks from the given one on that have no parents start.
func (p *Plan) admitRoots(from int, now int64) {
	for i := from; i < len(p.tasks); i++ {
		if t := &p.tasks[i]; t.parents == 0 && !t.over() {
			p.arrive(int32(i), now)
		}
	}
}

func (p *Plan) applyIntent(r *statelog.Record) ID {
	t := &p.tasks[r.Task]
	instance := int32(r.Instance)
	k := t.first + instance
	p.states[k] = open
	t.begun++
	if instance >= t.next {
		t.next = instance + 1
	}
	if r.Attempt > 1 {
		p.extra(k).number = int32(r.Attempt)
	}
	id := ID(len(p.attempts))
	if n := len(p.free); n > 0 {
		id = p.free[n-1]
		p.free = p.free[:n-1]
	} else {
		p.attempts = append(p.attempts, Attempt{})
	}
	p.attempts[id] = Attempt{
		Task: r.Task, Instance: r.Instance, Number: r.Attempt,
		Group: int(t.group), Node: r.Node, open: true, use: p.attempts[id].use + 1,
	}
	p.pools[p.groups[t.group].pool].open++
	p.counts[Waiting]--
	p.counts[Queued]++
	return id
}

func (p *Plan) applyStarted(id ID, r *statelog.Record) {
	a := &p.attempts[id]
	if r.Ref != "" {
		a.Ref = r.Ref
	}
	if r.Node != "" {
		a.Node = r.Node
	}
}

// shut closes an attempt. Its instance gets the state given.
func (p *Plan) shut(id ID, s state) {
	a := &p.attempts[id]
	p.states[p.tasks[a.Task].first+int32(a.Instance)] = s
	p.pools[p.groups[a.Group].pool].open--
	if a.Running {
		p.counts[Running]--
	} else {
		p.counts[Queued]--
	}
	p.counts[publicStates[s]]++
	*a = Attempt{use: a.use}
	p.free = append(p.free, id)
}

// applyDone closes an attempt that succeeded. A splice comes first: it may give
// the children of its generator more parents, and its own tasks have the
// generator as one that is still open.
func (p *Plan) applyDone(id ID, r *statelog.Record, splice []Task) {
	now := r.Time.UnixNano()
	if len(splice) > 0 {
		p.applySplice(splice, now)
	}
	t := &p.tasks[r.Task]
	p.idle = false
	p.shut(id, completed)
	t.settled++
	if t.over() {
		p.complete(int32(r.Task), now)
	}
}

// applyEnd closes an attempt that did not succeed.
func (p *Plan) applyEnd(id ID, r *statelog.Record) {
	t := &p.tasks[r.Task]
	x := p.extra(t.first + int32(r.Instance))
	x.number = int32(r.Attempt)
	if r.Kind == statelog.Done {
		p.idle, x.deaths = false, 0
	}
	switch {
	case r.Kind == statelog.NotStarted:
		t.begun--
		if r.Class == statelog.Killed {
			p.applyBad(id, t, killed)
			return
		}
		p.shut(id, waiting)
	case r.Delay < 0:
		s := failed
		if r.Class == statelog.Killed {
			s = killed
		}
		p.applyBad(id, t, s)
		return
	case r.Kind == statelog.Lost && r.Class == statelog.Interrupted:
		p.shut(id, waiting)
	default:
		if r.Kind == statelog.Lost {
			x.losses++
		} else {
			x.failures++
		}
		x.delay = r.Delay
		x.at = Nanoseconds(r.Time.Add(r.Delay))
		p.shut(id, backoff)
		p.wait(int32(r.Task), int32(r.Instance), x)
		return
	}
	p.startAgain(int32(r.Task), int32(r.Instance))
	if t.admitted() {
		p.enqueue(int32(r.Task), r.Time.UnixNano())
	}
}

func (p *Plan) applyBad(id ID, t *task, s state) {
	p.shut(id, s)
	t.settled++
	t.bad++
}

// recordBarrier lets a barrier pass that had to wait for its NotBefore. It is
// recorded, because what follows from the time alone cannot be replayed.
func (p *Plan) recordBarrier(i int32, now time.Time) {
	r := p.record(statelog.Done, now, int(i))
	r.Start = now
	p.applyBarrier(r)
}

func (p *Plan) applyBarrier(r *statelog.Record) {
	i := int32(r.Task)
	p.passBarrier(i)
	p.complete(i, r.Time.UnixNano())
}

// applySplice adds the tasks that the graph has more.
func (p *Plan) applySplice(tasks []Task, now int64) {
	from := len(p.tasks)
	p.addTasks(tasks)
	for i := from; i < len(p.tasks); i++ {
		p.holdBackChildren(i, from)
		p.discountParents(i, from)
	}
	if p.paths != nil {
		p.measurePaths(from)
	}
	p.admitRoots(from, now)
}

// holdBackChildren adds the new task i to the open parents of the tasks that
// were there before, unless they have started (D8).
func (p *Plan) holdBackChildren(i, from int) {
	for _, c := range p.graph.Children(i) {
		child := &p.tasks[c]
		if int(c) >= from || child.is(late) {
			continue
		}
		if child.begun > 0 || child.is(barrier) && child.over() {
			child.flags |= late
			continue
		}
		child.parents++
	}
}

// discountParents takes the parents of the new task i that have completed off
// those that are open.
func (p *Plan) discountParents(i, from int) {
	t := &p.tasks[i]
	for _, parent := range p.graph.Parents(i) {
		if int(parent) < from {
			if pt := &p.tasks[parent]; pt.over() && pt.bad == 0 {
				t.parents--
			}
		}
	}
}
