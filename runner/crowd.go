package runner

import (
	"runtime"
	"time"
)

// Workers of functions that return at once would spend their time passing mu to
// and fro: two of them get through less than one. So a worker that meets another
// at mu again and again steps aside, and a worker steps in only where those
// that are at work take their time. One that stands by is always awake: if a
// function blocks, whatever else is ready does not wait for it.
const (
	// crowded is how many more times a worker met another than not before it
	// steps aside.
	crowded = 16
	// yields is how long a worker stands by before it looks around, in turns of
	// the Go scheduler. It is no time by the clock, which may be virtual and
	// stand still meanwhile; by a real clock it is not more than a look.
	yields = 128
	look   = 50 * time.Microsecond
	// busy is how many attempts in that time a worker takes that is better left
	// alone.
	busy = 8
)

// meet takes mu, and keeps account of whether another worker had it.
func (e *engine) meet(m *arena) {
	if e.mu.TryLock() {
		m.crowd = max(0, m.crowd-1)
		return
	}
	m.crowd++
	e.mu.Lock()
}

// standBy returns when n workers do not take attempts faster than one more could
// help them to.
func (w *workers) standBy(n int) {
	for {
		before, since := w.taken.Load(), time.Now()
		for i := 0; i < yields && time.Since(since) < look; i++ {
			runtime.Gosched()
		}
		if w.taken.Load()-before < uint32(busy*n) {
			return
		}
	}
}

// stepAside has a worker stand by, unless it is the only one or another does
// already. Then it goes on, for now. It is called with mu held.
func (e *engine) stepAside(w *workers, m *arena) {
	m.crowd = 0
	if w.starting || w.count < 2 {
		return
	}
	w.starting = true
	others := w.count - 1
	e.mu.Unlock()
	w.standBy(others)
	e.mu.Lock()
	w.starting = false
}
