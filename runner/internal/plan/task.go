package plan

import (
	"time"

	"github.com/daggy-go/daggy/statelog"
)

// task is what changes of a task while it runs, and what is asked of it often.
type task struct {
	instances int32
	first     int32 // of its instances, in Plan.states
	group     int32
	policy    int32
	parents   int32 // that are not completed
	next      int32 // no instance below it waits for its first attempt, but held ones
	settled   int32 // instances that are completed, failed or killed
	bad       int32 // of these, failed or killed
	begun     int32 // attempts, but for those that were certainly not started
	flags     taskFlags
}

type taskFlags uint8

const (
	barrier taskFlags = 1 << iota
	generator
	queued // in the queue of its group
	late   // had started when it was given another parent, which has no effect
	timed  // waits for its NotBefore
)

func (t *task) is(f taskFlags) bool { return t.flags&f != 0 }

// admitted reports whether parents no longer hold the task back.
func (t *task) admitted() bool { return t.parents <= 0 || t.is(late) }

func (t *task) over() bool { return t.settled == t.instances }

// state of an instance. One byte is kept of each.
type state uint8

const (
	waiting state = iota
	open          // it has an open attempt
	backoff       // it waits for the time of its next attempt
	completed
	failed
	killed
)

// extra is what is kept of instances that had more than one smooth attempt.
type extra struct {
	number   int32 // of the last attempt
	failures int32 // of the task, since the last retry by hand
	losses   int32
	deaths   int32 // of engines that had it open and got nothing done, in a row
	at       int64 // when to try again, Unix nanoseconds
	delay    time.Duration
}

func (p *Plan) extra(instance int32) *extra {
	x := p.extras[instance]
	if x == nil {
		x = &extra{}
		p.extras[instance] = x
	}
	return x
}

// addTasks makes the tasks that the graph has beyond those that are known, and
// counts their parents.
func (p *Plan) addTasks(tasks []Task) {
	base := len(p.tasks)
	first, total := len(p.states), 0
	for i := range tasks {
		c := &tasks[i]
		t := task{
			instances: c.Instances,
			first:     int32(first + total),
			group:     c.Group,
			policy:    p.policyIndex(c.Policy),
			parents:   int32(len(p.graph.Parents(base + i))),
		}
		if c.Barrier {
			t.flags |= barrier
		}
		if c.Generator {
			t.flags |= generator
		}
		p.tasks = append(p.tasks, t)
		total += int(c.Instances)
	}
	p.states = append(p.states, make([]state, total)...)
	p.counts[Waiting] += total
}

// policyIndex returns the place of pol in p.policies. Tasks in a row mostly
// have the same policy, and most have none.
func (p *Plan) policyIndex(pol *Policy) int32 {
	if pol == nil {
		return 0
	}
	if last := len(p.policies) - 1; p.policies[last] == *pol {
		return int32(last)
	}
	p.policies = append(p.policies, *pol)
	return int32(len(p.policies) - 1)
}

// measurePaths sets p.paths of the tasks from the given one on, and updates
// those before them that it makes longer.
func (p *Plan) measurePaths(from int) {
	n := len(p.tasks)
	p.paths = append(p.paths, make([]int32, n-len(p.paths))...)
	work := make([]int32, 0, n-from)
	left := make(map[int32]int32)
	counts := make([]int32, n-from)
	for i := from; i < n; i++ {
		counts[i-from] = int32(len(p.graph.Children(i)))
	}
	settle := func(i int32) {
		longest := int32(0)
		for _, c := range p.graph.Children(int(i)) {
			longest = max(longest, p.paths[c])
		}
		p.paths[i] = longest + 1
		work = append(work, i)
	}
	for i := from; i < n; i++ {
		for _, c := range p.graph.Children(i) {
			if int(c) < from { // measured before
				counts[i-from]--
			}
		}
		if counts[i-from] == 0 {
			settle(int32(i))
		}
	}
	for len(work) > 0 {
		i := work[len(work)-1]
		work = work[:len(work)-1]
		for _, parent := range p.graph.Parents(int(i)) {
			if int(parent) < from {
				if p.paths[i] >= p.paths[parent] {
					left[parent] = i
					p.lengthen(parent, p.paths[i]+1)
				}
				continue
			}
			if counts[int(parent)-from]--; counts[int(parent)-from] == 0 {
				settle(parent)
			}
		}
	}
}

// lengthen makes the path from task i at least as long as given, and so that of
// everything before it. Tasks in a queue keep the place they had: the order
// counts when they are queued.
func (p *Plan) lengthen(i, length int32) {
	type step struct{ task, length int32 }
	work := []step{{i, length}}
	for len(work) > 0 {
		s := work[len(work)-1]
		work = work[:len(work)-1]
		if p.paths[s.task] >= s.length || p.tasks[s.task].is(queued) {
			continue
		}
		p.paths[s.task] = s.length
		for _, parent := range p.graph.Parents(int(s.task)) {
			work = append(work, step{parent, s.length + 1})
		}
	}
}

// before orders tasks: priority, longest path, definition (R7).
func (p *Plan) before(a, b int32) bool {
	x, y := &p.tasks[a], &p.tasks[b]
	if x.policy != y.policy {
		if px, py := p.policies[x.policy].Priority, p.policies[y.policy].Priority; px != py {
			return px > py
		}
	}
	if p.paths != nil && p.paths[a] != p.paths[b] {
		return p.paths[a] > p.paths[b]
	}
	return a < b
}

// arrive is called when nothing upstream holds task i back any more.
func (p *Plan) arrive(i int32, now int64) {
	work := []int32(nil)
	for {
		t := &p.tasks[i]
		switch {
		case !t.is(barrier):
			p.enqueue(i, now)
		case p.held(i):
			// Release brings it here again.
		case p.policies[t.policy].NotBefore != 0:
			p.waitNotBefore(i)
		default:
			p.passBarrier(i)
			work = p.freeChildren(i, now, work)
		}
		if len(work) == 0 {
			return
		}
		i = work[len(work)-1]
		work = work[:len(work)-1]
	}
}

// passBarrier settles all instances of a barrier that are not held.
func (p *Plan) passBarrier(i int32) {
	t := &p.tasks[i]
	moved := 0
	for k := t.first; k < t.first+t.instances; k++ {
		if p.states[k] == waiting && !p.isHeldOne(k) {
			p.states[k] = completed
			moved++
		}
	}
	t.settled += int32(moved)
	t.next = t.instances
	p.counts[Waiting] -= moved
	p.counts[Completed] += moved
}

// freeChildren takes the completed task i off its children's open parents. It
// queues those that have none left, and adds barriers among them to work.
func (p *Plan) freeChildren(i int32, now int64, work []int32) []int32 {
	t := &p.tasks[i]
	if !t.over() || t.bad > 0 {
		return work
	}
	for _, c := range p.graph.Children(int(i)) {
		child := &p.tasks[c]
		if child.is(late) {
			continue
		}
		if child.parents--; child.parents != 0 {
			continue
		}
		if child.is(barrier) {
			work = append(work, c)
		} else {
			p.enqueue(c, now)
		}
	}
	return work
}

// complete frees the children of task i if all its instances completed.
func (p *Plan) complete(i int32, now int64) {
	for _, c := range p.freeChildren(i, now, nil) {
		p.arrive(c, now)
	}
}

// held reports whether all of task i is held.
func (p *Plan) held(i int32) bool {
	if len(p.heldAll) == 0 {
		return false
	}
	_, ok := p.heldAll[i]
	return ok
}

// pick returns the instance of task i to start next, and whether it had an
// attempt before. ok is false if there is none. It does not take it.
func (p *Plan) pick(i int32) (instance int32, ok bool) {
	t := &p.tasks[i]
	for t.next < t.instances {
		k := t.first + t.next
		if p.states[k] == waiting && !p.isHeldOne(k) {
			break
		}
		t.next++
	}
	if len(p.again) > 0 {
		if h := p.again[i]; h != nil {
			for len(*h) > 0 {
				k := t.first + (*h)[0]
				if p.states[k] == waiting && !p.isHeldOne(k) {
					return min((*h)[0], t.next), true
				}
				h.pop()
			}
			delete(p.again, i)
		}
	}
	return t.next, t.next < t.instances
}

// startAgain lets an instance that is behind t.next be picked.
func (p *Plan) startAgain(i, instance int32) {
	h := p.again[i]
	if h == nil {
		h = &instanceHeap{}
		p.again[i] = h
	}
	h.push(instance)
}

func (p *Plan) isHeldOne(k int32) bool {
	if len(p.heldOne) == 0 {
		return false
	}
	_, ok := p.heldOne[k]
	return ok
}

// instancesOf returns the range of instances that a command is about.
func (t *task) instancesOf(instance int) (from, to int32) {
	if instance == statelog.WholeTask {
		return 0, t.instances
	}
	return int32(instance), int32(instance) + 1
}
