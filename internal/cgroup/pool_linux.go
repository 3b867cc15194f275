package cgroup

import (
	"strconv"
	"sync"
	"time"
)

// Bounds on what is kept to be used again.
const (
	mostIdle   = 256
	mostOpen   = 256 // groups whose files are kept open, of eight descriptors at most
	lingerTime = 50 * time.Millisecond
)

// A Pool makes groups and takes them back. Make it with [NewPool]. It is safe for
// concurrent use, and holds nothing that would have to be closed: a moment after the
// last group was released, all of them are removed. If the program ends before that,
// the next one that has a pool removes them.
type Pool struct {
	config Config
	turn   chan struct{} // held while a space is opened or closed

	mu      sync.Mutex // guards the following
	space   *space     // nil: there is none
	users   int        // of space
	number  int        // of groups, ever
	open    int        // groups whose files are kept open
	idle    []*Group   // of space; the last was used last
	last    time.Time  // when the space was last left
	waiting bool       // hangUp is going to be called
}

// NewPool returns a pool that has nothing yet.
func NewPool(c Config) *Pool { return &Pool{config: c, turn: make(chan struct{}, 1)} }

// Abilities says which limits can be held. An error is for what comes back, such as
// descriptors.
func (p *Pool) Abilities() (Abilities, error) {
	s, err := p.acquire()
	if err != nil {
		return Abilities{}, err
	}
	defer p.leave()
	return s.can, nil
}

// Take returns a group with these limits, as far as they can be held, which the caller
// releases. It is nil if none can be made at all. An [Error] is for what should be
// possible, and was not.
func (p *Pool) Take(l Limits) (*Group, error) {
	s, err := p.acquire()
	if err != nil {
		return nil, err
	}
	if len(s.hierarchies) == 0 {
		p.leave()
		return nil, nil
	}
	g, number, keep := p.pick(l)
	if g != nil {
		return g, nil
	}
	g = newGroup(p, s, strconv.Itoa(number), l)
	g.open(keep)
	if err := g.make(); err != nil {
		p.discard(g)
		p.leave()
		return nil, &Error{Do: "make", Err: err}
	}
	return g, nil
}

// pick returns a group that was used before, or the number of a new one, and whether
// its files are to be kept open.
func (p *Pool) pick(l Limits) (g *Group, number int, keep bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.idle) - 1; i >= 0; i-- {
		if g := p.idle[i]; g.asked == l {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			return g, 0, false
		}
	}
	p.number++
	if keep = p.open < p.space.mostOpen; keep {
		p.open++
	}
	return nil, p.number, keep
}

func (p *Pool) release(g *Group) {
	defer p.leave()
	if !g.reusable() {
		p.discard(g)
		return
	}
	if old := p.keep(g); old != nil {
		p.discard(old)
	}
}

// discard removes a group.
func (p *Pool) discard(g *Group) {
	g.destroy()
	if g.opened {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.open--
	}
}

// keep keeps a group for the next one, and returns one that there is no room for.
func (p *Pool) keep(g *Group) (old *Group) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, g)
	if len(p.idle) > mostIdle {
		old, p.idle = p.idle[0], p.idle[1:]
	}
	return old
}

// acquire returns the space, and makes one if there is none.
func (p *Pool) acquire() (*space, error) {
	if s := p.current(); s != nil {
		return s, nil
	}
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	if s := p.current(); s != nil {
		return s, nil
	}
	s, err := openSpace(p.config)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.space, p.users = s, 1
	return s, nil
}

func (p *Pool) current() *space {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.space != nil {
		p.users++
	}
	return p.space
}

// leave is the opposite of acquire. The timer is not set each time, which would wake a
// thread.
func (p *Pool) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users--
	p.last = time.Now()
	if p.users == 0 && !p.waiting {
		p.waiting = true
		time.AfterFunc(lingerTime, p.hangUp)
	}
}

// hangUp removes everything if nobody has needed it for a while.
func (p *Pool) hangUp() {
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	s, idle := p.part()
	for _, g := range idle {
		p.discard(g)
	}
	if s != nil {
		s.close()
	}
}

// part takes the space from the pool if nobody uses it. If it was used a short time
// ago, that is done later.
func (p *Pool) part() (*space, []*Group) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = false
	if p.users > 0 || p.space == nil {
		return nil, nil
	}
	if left := lingerTime - time.Since(p.last); left > 0 {
		p.waiting = true
		time.AfterFunc(left, p.hangUp)
		return nil, nil
	}
	s, idle := p.space, p.idle
	p.space, p.idle = nil, nil
	return s, idle
}

// Dirs returns the directories in which groups are made now. If they are being made or
// removed, that is waited for.
func (p *Pool) Dirs() []string {
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	p.mu.Lock()
	defer p.mu.Unlock()
	var dirs []string
	if p.space != nil {
		for _, h := range p.space.hierarchies {
			dirs = append(dirs, h.dir)
		}
	}
	return dirs
}
