package runner

import (
	"time"

	"github.com/daggy-go/daggy/capacity"
)

// lease asks for what the plan wants to start next in pools that allocate.
func (e *engine) lease() {
	if !e.leases {
		return
	}
	// Before asking, so that no room that is freed after a refusal is missed.
	e.hungry.Store(true)
	blocked := false
	for i, w := range e.pools {
		if w.allocator == nil {
			continue
		}
		for {
			group, ok := e.plan.Want(i)
			if !ok {
				break
			}
			lease, err := e.request(group).TryAllocate()
			if err != nil {
				e.plan.Refuse(group)
				continue
			}
			id := e.plan.Lease(time.Now(), group, lease.Node())
			e.attempt(id).lease = lease
		}
		blocked = blocked || e.plan.Blocked(i)
	}
	e.hungry.Store(blocked)
}

// request returns the standing request of a group.
func (e *engine) request(group int) *capacity.Request {
	for len(e.requests) <= group {
		e.requests = append(e.requests, nil)
	}
	if e.requests[group] == nil {
		g := &e.def.pools.groups[group]
		request, err := e.def.pools.list[g.pool].allocator.Prepare(g.resources)
		if err != nil {
			panic("runner: a request that was checked is refused: " + err.Error())
		}
		e.requests[group] = request
	}
	return e.requests[group]
}

// freed is called by an allocator when it may have room again. It can be called
// while this engine holds mu and asks the same allocator, so it only leaves word.
func (e *engine) freed() {
	if !e.hungry.Load() {
		return
	}
	select {
	case e.room <- struct{}{}:
	default:
	}
}

// askAgain is the goroutine that asks again when there is room.
func (e *engine) askAgain() {
	for {
		select {
		case <-e.room:
		case <-e.ctx.Done():
			return
		}
		e.mu.Lock()
		if !e.over {
			e.askBlocked()
			e.pump()
		}
		e.mu.Unlock()
	}
}

// askBlocked has what was refused asked for again, with mu held.
func (e *engine) askBlocked() {
	for i, w := range e.pools {
		if w.allocator != nil && e.plan.Blocked(i) {
			e.plan.Freed(i)
		}
	}
}

// release gives a lease back. mu is held, but not while those are told who wait
// for room.
func (e *engine) release(lease *capacity.Lease) {
	if lease == nil {
		return
	}
	e.mu.Unlock()
	lease.Release()
	e.mu.Lock()
	e.askBlocked() // what was held may be just enough
}
