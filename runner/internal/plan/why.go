package plan

import "github.com/daggy-go/daggy/statelog"

// Why says what keeps an instance from running.
type Why struct {
	// Parents have not ended, Failed have ended without success.
	Parents, Failed []int32
	// NotBefore and Backoff are when it may go on, Unix nanoseconds, or 0.
	NotBefore, Backoff int64
	Held, Paused       bool
	// Ending: the run is being stopped.
	Ending bool
	// Executor is what the executor that has it says.
	Executor string
	// Ready: only room is missing, if there is no other reason.
	Ready bool
}

// Why returns what keeps an instance from running. [statelog.WholeTask] stands
// for the first instance of the task that waits for something.
func (p *Plan) Why(task, instance int) Why {
	t := &p.tasks[task]
	if instance == statelog.WholeTask {
		instance = p.firstWaiting(t)
	}
	k := t.first + int32(instance)
	var w Why
	switch p.states[k] {
	case completed, failed, killed:
		return w
	case open:
		for _, a := range p.Opens {
			if a.Task == task && a.Instance == instance {
				w.Executor = a.Reason
				w.Ready = !a.Running && !a.paused
			}
		}
		return w
	case backoff:
		w.Backoff = p.extras[k].at
	default:
	}
	if p.closed {
		w.Ending = true
	}
	if !t.admitted() {
		p.whyParents(task, &w)
	}
	if t.is(timed) {
		w.NotBefore = p.policies[t.policy].NotBefore
	}
	w.Held = p.held(int32(task)) || p.isHeldOne(k)
	w.Paused = p.paused
	w.Ending = w.Ending || p.stopped || p.halting()
	w.Ready = true
	return w
}

func (p *Plan) firstWaiting(t *task) int {
	for k := t.first; k < t.first+t.instances; k++ {
		if s := p.states[k]; s == waiting || s == backoff || s == open {
			return int(k - t.first)
		}
	}
	return 0
}

func (p *Plan) whyParents(task int, w *Why) {
	for _, parent := range p.graph.Parents(task) {
		switch pt := &p.tasks[parent]; {
		case pt.over() && pt.bad == 0:
		case pt.over() || p.closed:
			w.Failed = append(w.Failed, parent)
		default:
			w.Parents = append(w.Parents, parent)
		}
	}
}

// Group returns the group of a task.
func (p *Plan) Group(task int) int { return int(p.tasks[task].group) }
