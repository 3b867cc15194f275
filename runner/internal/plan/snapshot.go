package plan

import "github.com/daggy-go/daggy/statelog"

// State of an instance, as users know it (R1).
type State uint8

// The states.
const (
	Waiting State = iota
	Queued
	Running
	Completed
	Failed
	Killed
	Skipped
	states
)

// Counts has the number of instances by State.
type Counts [states]int

var publicStates = [...]State{
	waiting: Waiting, open: Queued, backoff: Waiting,
	completed: Completed, failed: Failed, killed: Killed,
}

// Counts returns the number of instances by state. It takes no time.
func (p *Plan) Counts() Counts { return p.counts }

// Len is the number of tasks.
func (p *Plan) Len() int { return len(p.tasks) }

// Instances is the number of instances of a task, and the place of the first
// among all of the run.
func (p *Plan) Instances(task int) (first, n int) {
	t := &p.tasks[task]
	return int(t.first), int(t.instances)
}

// States returns the states of all instances, in the order of their tasks.
func (p *Plan) States() []State {
	s := make([]State, len(p.states))
	for k, st := range p.states {
		s[k] = publicStates[st]
	}
	if p.closed {
		for k := range s {
			if s[k] == Waiting {
				s[k] = Skipped
			}
		}
	}
	for _, a := range p.Opens {
		if a.Running {
			s[int(p.tasks[a.Task].first)+a.Instance] = Running
		}
	}
	return s
}

// State returns the state of one instance.
func (p *Plan) State(task, instance int) State {
	s := publicStates[p.states[int(p.tasks[task].first)+instance]]
	switch s {
	case Waiting:
		if p.closed {
			return Skipped
		}
	case Queued:
		for _, a := range p.Opens {
			if a.Task == task && a.Instance == instance && a.Running {
				return Running
			}
		}
	default: // that is all there is to it
	}
	return s
}

// CanRetry reports whether an instance, or any of a task, failed or was killed.
func (p *Plan) CanRetry(task, instance int) bool {
	t := &p.tasks[task]
	if instance == statelog.WholeTask {
		return t.bad > 0
	}
	s := p.states[t.first+int32(instance)]
	return s == failed || s == killed
}

// Closed reports whether the run is closed in the log.
func (p *Plan) Closed() bool { return p.closed }

// Started reports whether task i has started, so that another parent would come
// too late. Attempts that no executor has yet can still be withdrawn; withdraw
// reports which of them the caller will withdraw.
func (p *Plan) Started(i int, withdraw func(ID) bool) bool {
	t := &p.tasks[i]
	begun := int(t.begun)
	if begun == 0 || t.is(late) {
		return t.is(late)
	}
	for id, a := range p.Opens {
		if a.Task == i && withdraw(id) {
			begun--
		}
	}
	return begun > 0
}
