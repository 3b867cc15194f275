package agent

import (
	"sync"
	"time"
)

// growthPause is how long growing outputs wait to be told together.
const growthPause = 20 * time.Millisecond

// growths are the attempts whose outputs have grown since that was told last.
type growths struct {
	mu    sync.Mutex // guards the following
	list  map[*attempt]struct{}
	armed bool
}

// grew notes that an output of an attempt has grown.
func (a *Agent) grew(at *attempt) {
	g := &a.growths
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.list == nil {
		g.list = map[*attempt]struct{}{}
	}
	g.list[at] = struct{}{}
	if !g.armed {
		g.armed = true
		time.AfterFunc(growthPause, a.tellGrowth)
	}
}

func (a *Agent) tellGrowth() {
	g := &a.growths
	g.mu.Lock()
	list := g.list
	g.list, g.armed = nil, false
	g.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	for at := range list {
		if at.open() && a.attempts[at.key] == at {
			a.touch(at)
		}
	}
}
