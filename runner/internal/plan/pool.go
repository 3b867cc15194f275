package plan

import (
	"math"
	"slices"
	"time"
)

// probes is how many requests of different size are tried, in order, each time
// that something was freed. It bounds the work where every task asks for
// something else.
const probes = 256

type pool struct {
	slots  int
	ahead  int
	limit  int // of attempts at once: slots, or fewer after NotStarted
	leased bool
	open   int // attempts that hold or wait for a slot
	misses int // NotStarted in a row

	ready   []int32 // heap of groups that have something to start, by first task
	blocked []int32 // groups that were refused
	probed  int     // since something was freed
}

func newPool(c Pool) pool {
	slots := c.Slots
	if slots < 0 {
		slots = math.MaxInt
	}
	return pool{slots: slots, ahead: c.Ahead, limit: slots, leased: c.Leased}
}

// offer puts a group with something to start among those of its pool.
func (q *pool) offer(p *Plan, id int32) {
	g := &p.groups[id]
	if g.blocked {
		return
	}
	if g.place < 0 {
		g.place = int32(len(q.ready))
		q.ready = append(q.ready, id)
	}
	q.up(p, int(g.place))
}

// remove takes the group at a place away. What stands there may be empty.
func (q *pool) remove(p *Plan, place int) {
	last := len(q.ready) - 1
	p.groups[q.ready[place]].place = -1
	moved := q.ready[last]
	q.ready = q.ready[:last]
	if place == last {
		return
	}
	q.ready[place] = moved
	p.groups[moved].place = int32(place)
	q.down(p, place)
	q.up(p, int(p.groups[moved].place))
}

func (q *pool) before(p *Plan, a, b int32) bool {
	return p.before(p.groups[a].front(p), p.groups[b].front(p))
}

func (q *pool) swap(p *Plan, i, j int) {
	q.ready[i], q.ready[j] = q.ready[j], q.ready[i]
	p.groups[q.ready[i]].place, p.groups[q.ready[j]].place = int32(i), int32(j)
}

func (q *pool) up(p *Plan, i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !q.before(p, q.ready[i], q.ready[parent]) {
			return
		}
		q.swap(p, i, parent)
		i = parent
	}
}

func (q *pool) down(p *Plan, i int) {
	for {
		child := 2*i + 1
		if child >= len(q.ready) {
			return
		}
		if child+1 < len(q.ready) && q.before(p, q.ready[child+1], q.ready[child]) {
			child++
		}
		if !q.before(p, q.ready[child], q.ready[i]) {
			return
		}
		q.swap(p, i, child)
		i = child
	}
}

// next returns the first group of the pool that has something to start, and
// the task it starts with.
func (q *pool) next(p *Plan) (id, task int32, ok bool) {
	for len(q.ready) > 0 {
		id = q.ready[0]
		g := &p.groups[id]
		was := g.front(p)
		if task, ok = p.first(g); !ok {
			q.remove(p, 0)
			continue
		}
		if task != was {
			if q.down(p, 0); q.ready[0] != id {
				continue
			}
		}
		return id, task, true
	}
	return 0, 0, false
}

// settle puts a group in its place after its first task changed or went.
func (q *pool) settle(p *Plan, id int32) {
	g := &p.groups[id]
	switch {
	case g.place < 0:
	case g.len() == 0:
		q.remove(p, int(g.place))
	default:
		q.down(p, int(g.place))
	}
}

// Want returns the group for which the pool asks a lease next. The caller
// tries, and answers with [Plan.Lease] or [Plan.Refuse], until ok is false.
func (p *Plan) Want(poolIndex int) (g int, ok bool) {
	q := &p.pools[poolIndex]
	if !q.leased || p.halted() || q.open >= q.limit || q.probed >= probes {
		return 0, false
	}
	id, _, ok := q.next(p)
	return int(id), ok
}

// Lease starts the next attempt of the group that was asked for, on the node
// that was leased.
func (p *Plan) Lease(now time.Time, groupID int, node string) ID {
	task, ok := p.first(&p.groups[groupID])
	if !ok {
		panic("plan: a lease for a group that has nothing to start")
	}
	return p.start(now, task, node)
}

// Refuse says that there is no room for the group that was asked for. It is
// asked for again when something was freed.
func (p *Plan) Refuse(groupID int) {
	g := &p.groups[groupID]
	q := &p.pools[g.pool]
	q.probed++
	if g.place >= 0 {
		q.remove(p, int(g.place))
	}
	g.blocked = true
	q.blocked = append(q.blocked, int32(groupID))
}

// Freed says that there may be room again in the pool. Groups that were refused
// and want nothing any more are told to leave the line they may stand in.
func (p *Plan) Freed(poolIndex int) {
	q := &p.pools[poolIndex]
	q.probed = 0
	for _, id := range q.blocked {
		g := &p.groups[id]
		g.blocked = false
		if _, ok := p.first(g); ok && !p.halted() {
			q.offer(p, id)
		} else {
			p.act(Action{Kind: Leave, Group: int(id)})
			if ok {
				g.blocked = true // Continue, or nothing, will offer it again
			}
		}
	}
	q.blocked = slices.DeleteFunc(q.blocked, func(id int32) bool { return !p.groups[id].blocked })
}

// Blocked reports whether anything of the pool waits for room.
func (p *Plan) Blocked(poolIndex int) bool {
	q := &p.pools[poolIndex]
	return len(q.blocked) > 0 || q.probed >= probes
}
