package plan

import "github.com/daggy-go/daggy/statelog"

// applyTakenUp ends what is known of the engine before. If it died, and no
// attempt ended by itself while it was at work, what it had open is suspected:
// a task that takes its engine down must not do so for ever.
func (p *Plan) applyTakenUp() {
	for _, a := range p.Opens {
		if p.detached {
			break
		}
		x := p.extra(p.tasks[a.Task].first + int32(a.Instance))
		if x.number = int32(a.Number); p.idle {
			x.deaths++
		} else {
			x.deaths = 0
		}
	}
	p.idle, p.detached = true, false
}

// Deaths is how many engines in a row died with an attempt of this instance
// open, while nothing else got done.
func (p *Plan) Deaths(id ID) int {
	a := &p.attempts[id]
	if x := p.extras[p.tasks[a.Task].first+int32(a.Instance)]; x != nil {
		return int(x.deaths)
	}
	return 0
}

// Condemn ends an attempt that was replayed because of the engines that died
// with it.
func (p *Plan) Condemn(id ID) { p.stop(id, &p.attempts[id], statelog.Poison) }
