package runner

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/expand"
	"github.com/daggy-go/daggy/runner/internal/plan"
)

// State of an instance (R1).
type State string

// The states of an instance.
const (
	Waiting   State = "waiting"   // for its parents, its time or its next attempt
	Queued    State = "queued"    // about to be started
	Running   State = "running"   // its executor has it
	Completed State = "completed" // it succeeded
	Failed    State = "failed"    // it failed by itself and has no attempts left
	Killed    State = "killed"    // by a user, or because the run was stopped for good
	Skipped   State = "skipped"   // the run closed before it could start
)

var stateNames = [...]State{
	plan.Waiting: Waiting, plan.Queued: Queued, plan.Running: Running,
	plan.Completed: Completed, plan.Failed: Failed, plan.Killed: Killed, plan.Skipped: Skipped,
}

// RunState is the state of a run (R1).
type RunState string

// The states of a run.
const (
	RunRunning     RunState = "running"
	RunCompleted   RunState = plan.RunCompleted // everything completed
	RunFailed      RunState = plan.RunFailed    // something did not complete
	RunKilled      RunState = plan.RunKilled    // it was aborted
	RunInterrupted RunState = "interrupted"     // not closed; it can be resumed
)

// A Report is the state of a run at some time. It is not altered afterwards and
// is safe for concurrent use.
type Report struct {
	// Run is the ID of the run. "" if none was started.
	Run   string
	State RunState
	// Start is when the run was opened, End when it ended. Zero: not yet.
	Start, End time.Time
	// Counts has the number of instances by state. States of none are left out.
	Counts map[State]int

	engine *engine
	tasks  int // how many there were
	seq    uint64
	states []plan.State

	once    sync.Once // fills the rest, when somebody asks
	names   []string
	defs    []taskDef
	firsts  []int32
	history *history
	err     error
}

// A TaskReport is what became of one instance of a task.
type TaskReport struct {
	// Name of the instance, and of its task. They are the same unless the task
	// was multiplied.
	Name, Task string
	// Index of the instance in its task, from 0.
	Index int
	State State
	// Attempts that were started.
	Attempts int
	// Class and Result of the last attempt that ended.
	Class  Class
	Result executor.Result
	// Start and End of the last attempt. Zero: there was none yet.
	Start, End time.Time
	// Node it ran on, if it was placed.
	Node string
	// Reason says more of how the last attempt ended.
	Reason string

	report *Report
	task   int
	last   int // number of the last attempt
}

// report takes a snapshot.
func (e *engine) report() *Report {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := &Report{
		Run: e.run, State: e.state(), Start: e.opened, End: e.closedAt,
		Counts: e.counts(),
		engine: e, tasks: e.plan.Len(), seq: e.seq, states: e.plan.States(),
	}
	return r
}

// counts is called with mu held.
func (e *engine) counts() map[State]int {
	counts := map[State]int{}
	for s, n := range e.plan.Counts() {
		if n > 0 {
			counts[stateNames[s]] = n
		}
	}
	return counts
}

// Counts returns the number of instances by state. It takes no time, however
// large the run is.
func (h *Handle) Counts() map[State]int {
	h.e.mu.Lock()
	defer h.e.mu.Unlock()
	return h.e.counts()
}

// state of the run. It is called with mu held.
func (e *engine) state() RunState {
	switch {
	case e.plan.Closed() && e.logErr == nil:
		return RunState(e.plan.Verdict())
	case e.closing:
		return RunInterrupted
	}
	return RunRunning
}

// Tasks yields what became of every instance, in the order of the definition,
// generated tasks last.
func (r *Report) Tasks() iter.Seq[TaskReport] {
	return func(yield func(TaskReport) bool) {
		r.once.Do(r.read)
		for i := range r.names {
			for k := r.firsts[i]; k < r.firsts[i+1]; k++ {
				if !yield(r.task(i, int(k-r.firsts[i]))) {
					return
				}
			}
		}
	}
}

// Task returns what became of an instance, or of a task that was not
// multiplied.
func (r *Report) Task(name string) (TaskReport, bool) {
	if r.engine == nil {
		return TaskReport{}, false
	}
	r.once.Do(r.read)
	r.engine.mu.Lock()
	task, instance, err := r.engine.def.find(name)
	r.engine.mu.Unlock()
	if err != nil || task >= len(r.names) || instance < 0 && r.defs[task].multiplied() {
		return TaskReport{}, false
	}
	return r.task(task, max(0, instance)), true
}

// Err says why the history of the attempts could not be read from the log, or
// is nil. States and counts are right in any case.
func (r *Report) Err() error {
	r.once.Do(r.read)
	return r.err
}

func (r *Report) task(task, instance int) TaskReport {
	k := int(r.firsts[task]) + instance
	t := TaskReport{
		Name: r.names[task], Task: r.names[task], Index: instance,
		State: stateNames[r.states[k]], Attempts: int(r.history.started[k]),
		Node: r.history.nodes[k], report: r, task: task,
	}
	if r.defs[task].multiplied() {
		t.Name = expand.InstanceName(t.Task, instance)
	}
	if ns := r.history.start[k]; ns != 0 {
		t.Start = time.Unix(0, ns)
	}
	if ns := r.history.end[k]; ns != 0 {
		t.End = time.Unix(0, ns)
	}
	d := r.history.details[k]
	t.Class, t.Reason, t.Result = d.class, d.reason, d.result
	t.last = int(r.history.number[k])
	return t
}

// read folds the log up to the snapshot.
func (r *Report) read() {
	n := len(r.states)
	r.history = &history{
		started: make([]int32, n), number: make([]int32, n),
		start: make([]int64, n), end: make([]int64, n),
		details: map[int]detail{}, nodes: map[int]string{}, before: map[int]timing{},
	}
	e := r.engine
	if e == nil {
		return
	}
	e.mu.Lock()
	r.defs = e.def.tasks[:r.tasks:r.tasks] // what is there does not change
	r.names = make([]string, r.tasks)
	r.firsts = make([]int32, r.tasks+1)
	for i := range r.names {
		first, n := e.plan.Instances(i)
		r.names[i] = e.def.graph.Name(i)
		r.firsts[i], r.firsts[i+1] = int32(first), int32(first+n)
	}
	e.mu.Unlock()
	for rec, err := range e.log.Read(context.Background(), r.Run, 0) {
		if err != nil {
			r.err = err
			return
		}
		if rec.Seq > r.seq {
			return
		}
		r.history.add(r.firsts, &rec)
	}
}

// Stdout returns what is kept of the standard output of the last attempt, and
// how many bytes were dropped.
func (t TaskReport) Stdout() (data []byte, dropped int64) { return t.output(Stdout) }

// Stderr is the same for standard error.
func (t TaskReport) Stderr() (data []byte, dropped int64) { return t.output(Stderr) }

func (t TaskReport) output(s Stream) ([]byte, int64) {
	c := t.capture(s)
	if c == nil {
		return nil, 0
	}
	data, dropped, _ := c.bytes()
	return data, dropped
}

func (t TaskReport) capture(s Stream) *capture {
	if t.report == nil {
		return nil
	}
	return t.report.engine.kept(outputKey{
		task: int32(t.task), instance: int32(t.Index), attempt: int32(t.last), stream: s,
	})
}

// tail is the end of what the last attempt said.
func (t TaskReport) tail() string {
	for _, s := range []Stream{Stderr, Stdout} {
		if c := t.capture(s); c != nil {
			if tail := c.lastLines(tailSize / 2); tail != "" {
				return tail
			}
		}
	}
	return ""
}
