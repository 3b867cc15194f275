package plan

import "slices"

// queue holds the tasks of a group that have something to start, in the order
// of Plan.before. Tasks mostly become ready in that order, so those that do
// stand in a plain run, and only the others in a heap.
type queue struct {
	run  []int32
	head int
	heap []int32
}

func (q *queue) len() int { return len(q.run) - q.head + len(q.heap) }

func (q *queue) reset() { *q = queue{run: q.run[:0], heap: q.heap[:0]} }

func (q *queue) push(p *Plan, task int32) {
	if q.head == len(q.run) {
		q.run, q.head = q.run[:0], 0
	}
	if len(q.run) == 0 || p.before(q.run[len(q.run)-1], task) {
		if q.head > 64 && q.head > len(q.run)/2 {
			q.run = q.run[:copy(q.run, q.run[q.head:])]
			q.head = 0
		}
		if len(q.run) == cap(q.run) {
			q.run = slices.Grow(q.run, len(q.run)+1) // by doubling, for it may get long
		}
		q.run = append(q.run, task)
		return
	}
	q.heap = append(q.heap, task)
	for i := len(q.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if !p.before(q.heap[i], q.heap[parent]) {
			break
		}
		q.heap[i], q.heap[parent] = q.heap[parent], q.heap[i]
		i = parent
	}
}

// front returns the first task. The queue must not be empty.
func (q *queue) front(p *Plan) int32 {
	switch {
	case q.head == len(q.run):
		return q.heap[0]
	case len(q.heap) == 0 || p.before(q.run[q.head], q.heap[0]):
		return q.run[q.head]
	}
	return q.heap[0]
}

// pop removes the first task.
func (q *queue) pop(p *Plan) {
	if q.head < len(q.run) && (len(q.heap) == 0 || p.before(q.run[q.head], q.heap[0])) {
		q.head++
		return
	}
	last := len(q.heap) - 1
	q.heap[0] = q.heap[last]
	q.heap = q.heap[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			return
		}
		if child+1 < last && p.before(q.heap[child+1], q.heap[child]) {
			child++
		}
		if !p.before(q.heap[child], q.heap[i]) {
			return
		}
		q.heap[i], q.heap[child] = q.heap[child], q.heap[i]
		i = child
	}
}

// group is a queue and its place among the groups of its pool.
type group struct {
	queue
	pool    int32
	place   int32 // in pool.ready, -1: it is not there
	blocked bool  // its request was refused and nothing was freed since
}

// first returns the first task of group g that really has something to start.
// It drops those that have not.
func (p *Plan) first(g *group) (task int32, ok bool) {
	for g.len() > 0 {
		i := g.front(p)
		if p.startable(i) {
			return i, true
		}
		g.pop(p)
		p.tasks[i].flags &^= queued
	}
	return 0, false
}

// startable reports whether an instance of task i may start now, but for
// capacity.
func (p *Plan) startable(i int32) bool {
	t := &p.tasks[i]
	if !t.admitted() || t.is(timed) || p.held(i) {
		return false
	}
	_, ok := p.pick(i)
	return ok
}

// enqueue puts task i into the queue of its group, if it is not there, or lets
// it wait for its time.
func (p *Plan) enqueue(i int32, now int64) {
	t := &p.tasks[i]
	if t.flags&(queued|timed) != 0 || p.held(i) {
		return
	}
	if p.policies[t.policy].NotBefore > now {
		p.waitNotBefore(i)
		return
	}
	t.flags |= queued
	g := &p.groups[t.group]
	g.push(p, i)
	p.pools[g.pool].offer(p, t.group)
}

// instanceHeap is a heap of instances, the lowest first.
type instanceHeap []int32

func (h *instanceHeap) push(v int32) {
	*h = append(*h, v)
	s := *h
	for i := len(s) - 1; i > 0; {
		parent := (i - 1) / 2
		if s[parent] <= s[i] {
			break
		}
		s[i], s[parent] = s[parent], s[i]
		i = parent
	}
}

func (h *instanceHeap) pop() {
	s := *h
	last := len(s) - 1
	s[0] = s[last]
	s = s[:last]
	*h = s
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			return
		}
		if child+1 < last && s[child+1] < s[child] {
			child++
		}
		if s[i] <= s[child] {
			return
		}
		s[i], s[child] = s[child], s[i]
		i = child
	}
}
