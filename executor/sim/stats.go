package sim

import (
	"slices"
	"time"
)

// A Start is an attempt that has started to run.
type Start struct {
	Run, Task, Instance string
	Number              int
	Key                 string
	// Node that was leased for it.
	Node string
	// Time at which it started to run.
	Time time.Time
}

// Stats count what an [Executor] has done.
type Stats struct {
	// Started is how many attempts have started to run.
	Started int
	// Running is how many are running now, and Peak the most that ever were.
	Running, Peak int
	// NotStarted is how many starts were refused.
	NotStarted int
	// Stopped is how many attempts did not come to their own end.
	Stopped int
}

// Stats returns the counts so far.
func (e *Executor) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stats
}

// Starts returns what has started to run, in that order, as far as it is
// remembered. See [Config]. The slice is the caller's.
func (e *Executor) Starts() []Start {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.starts)
}

// began notes that the work runs.
func (e *Executor) began(w *work) {
	e.mu.Lock()
	e.stats.Started++
	e.stats.Running++
	e.stats.Peak = max(e.stats.Peak, e.stats.Running)
	if len(e.starts) < e.config.Remember {
		e.starts = append(e.starts, w.start)
	}
	e.mu.Unlock()
	w.mu.Lock()
	w.begun = true
	w.mu.Unlock()
	if w.OnStart != nil {
		w.OnStart()
	}
}

// end settles the outcome of the work. The first outcome stands.
func (e *Executor) end(w *work, o outcome, stopped bool) {
	w.begin.Do(func() {}) // it has begun, or never does
	w.mu.Lock()
	if w.ending {
		w.mu.Unlock()
		return
	}
	w.ending = true
	begun := w.begun
	if begun {
		o.result.Node, o.result.Start, o.result.End = w.start.Node, w.start.Time, w.ends
		if stopped || w.Until != nil {
			o.result.End = time.Now()
		}
	}
	w.outcome, w.stopped = o, stopped
	w.mu.Unlock()
	if w.limit != nil {
		w.limit.Stop()
	}

	e.mu.Lock()
	if stopped {
		e.stats.Stopped++
	}
	if begun {
		e.stats.Running--
	}
	e.mu.Unlock()
	if begun && w.OnEnd != nil {
		w.OnEnd()
	}
	close(w.done)
}
