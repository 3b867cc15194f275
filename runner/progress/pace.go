package progress

import "time"

// paceWindow is how far back the rate looks, paceStep how often it is noted how
// much is done.
const (
	paceWindow = time.Minute
	paceStep   = time.Second
)

// pace is how fast instances end: over the last minute or, if nothing ended in
// it, since the start.
type pace struct {
	start mark
	// marks are at least paceStep apart, oldest first. The first is the newest
	// that is paceWindow old, or the start.
	marks []mark
}

// A mark says how much was done when.
type mark struct {
	at   time.Time
	done int
}

func newPace(start time.Time) pace {
	m := mark{at: start}
	return pace{start: m, marks: []mark{m}}
}

// skip leaves out what was done before the start.
func (p *pace) skip(n int) {
	p.start.done += n
	for i := range p.marks {
		p.marks[i].done += n
	}
}

// rate notes what is done and returns how much that is a second. 0: unknown.
func (p *pace) rate(now time.Time, done int) float64 {
	if now.Sub(p.marks[len(p.marks)-1].at) >= paceStep {
		p.marks = append(p.marks, mark{now, done})
	}
	old := 0
	for old+1 < len(p.marks) && now.Sub(p.marks[old+1].at) >= paceWindow {
		old++
	}
	p.marks = append(p.marks[:0], p.marks[old:]...)
	if rate := p.marks[0].rate(now, done); rate > 0 {
		return rate
	}
	return p.overall(now, done)
}

// overall is the rate since the start.
func (p *pace) overall(now time.Time, done int) float64 { return p.start.rate(now, done) }

func (m mark) rate(now time.Time, done int) float64 {
	took := now.Sub(m.at).Seconds()
	if took <= 0 || done <= m.done {
		return 0
	}
	return float64(done-m.done) / took
}
