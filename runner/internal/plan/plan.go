// Package plan is the scheduler of a run: a state machine without goroutines,
// clock, I/O or randomness. Events go in as method calls that carry the time;
// records to append and actions to take come out with [Plan.Take].
//
// # How it works
//
// Dependencies are between whole tasks, so the plan schedules tasks. A task
// counts its open parents, and its instances as they start and settle; an
// instance is one byte, and an entry in a map if it was ever retried, held or
// killed. An edge between two tasks of ten thousand instances is one edge.
//
// All durable state changes in the apply methods, which are driven by records
// alone: the plan makes a record, applies it to itself and hands it out. A plan
// that applies the same records again is in the same state. The queues and
// timers beside that are indexes, rebuilt by [Plan.Restart].
//
// # Rules of use
//
// The caller serialises all calls. It appends the records of one Take before
// it takes the actions of that Take, and before it appends those of the next.
package plan

import (
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/statelog"
)

// Graph is what the plan needs to know of the edges. *[dag.Graph] is one.
type Graph interface {
	Len() int
	Parents(task int) []int32
	Children(task int) []int32
}

var _ Graph = (*dag.Graph)(nil)

// Config is fixed for the life of a plan, but for what is spliced in.
type Config struct {
	Graph Graph
	// Tasks by index, as many as Graph has.
	Tasks []Task
	// Groups of tasks that ask for the same of the same pool.
	Groups []Group
	Pools  []Pool
	// FailFast stops the rest of the run after the first failure.
	FailFast bool
	// LongestPathFirst starts, at equal priority, what has the longest chain of
	// tasks behind it.
	LongestPathFirst bool
	Lost             Backoff
	Seed             uint64
}

// Task is what the plan knows of a task.
type Task struct {
	// Policy is nil for the zero Policy.
	Policy *Policy
	// Instances is at least 1. The instances of a barrier are done at once.
	Instances int32
	// Group is an index into Config.Groups.
	Group     int32
	Barrier   bool
	Generator bool
}

// Policy is what few tasks set.
type Policy struct {
	Priority      int
	MaxRetries    int
	RetryInterval time.Duration
	NotBefore     int64 // Unix nanoseconds, 0: at once
}

// Group is what the tasks in it have in common.
type Group struct{ Pool int }

// Pool is what the plan knows of an executor.
type Pool struct {
	// Slots is how many attempts may run at once. Negative: any number.
	Slots int
	// Ahead is how many more intents may be recorded before there is a slot.
	Ahead int
	// Leased pools start an attempt only with a lease, see [Plan.Want].
	Leased bool
}

// ID names an open attempt. IDs are used again after the attempt is closed.
type ID int32

// Attempt is an attempt that is not closed.
type Attempt struct {
	Task, Instance, Number int
	Group                  int
	Node, Ref              string
	// Running: its executor has it.
	Running bool
	// Reason it does not run yet, as its executor says.
	Reason string

	stop   statelog.Class // why the engine ends it; Success: it does not
	paused bool           // it was not started and waits to be handed over again
	open   bool
	use    uint32 // counts the uses of the ID
}

// ActionKind says what an action asks for.
type ActionKind uint8

// The actions.
const (
	// Start hands the attempt to its executor.
	Start ActionKind = iota + 1
	// Stop ends the attempt, whether its executor has it or not.
	Stop
	// Recall takes an attempt back that no executor has, for it is held or the
	// run is paused.
	Recall
	// Leave gives up the place in line of a group whose request was refused.
	Leave
	// Close says that the run is over.
	Close
)

// An Action is what the plan asks its caller to do.
type Action struct {
	Kind  ActionKind
	ID    ID
	use   uint32
	Group int
	// Class says why, in Stop.
	Class statelog.Class
}

// Batch is what came of the events since the last batch.
type Batch struct {
	Records []statelog.Record
	Actions []Action
}

// Empty reports that there is nothing to do.
func (b *Batch) Empty() bool { return len(b.Records) == 0 && len(b.Actions) == 0 }

// Plan is the scheduler's state. Make one with [New].
type Plan struct {
	cfg      Config
	graph    Graph
	tasks    []task
	policies []Policy
	states   []state // of all instances, task after task
	paths    []int32 // tasks on the longest way down, if they count
	extras   map[int32]*extra
	again    map[int32]*instanceHeap // instances to start once more, by task
	groups   []group
	pools    []pool
	attempts []Attempt
	free     []ID
	timers   timerHeap

	counts   Counts
	heldAll  map[int32]struct{} // tasks that are held
	heldOne  map[int32]struct{} // instances that are held
	replayed map[int32]ID       // open attempts by instance, while records are replayed
	idle     bool               // the engine at work has seen no attempt end by itself
	detached bool               // the engine before left in good order
	failFast bool               // decided
	aborted  bool               // decided
	paused   bool
	stopped  bool // interrupted
	closed   bool
	finished bool // Close was asked for
	batch    Batch
	spare    Batch
}

// New makes the plan of a run of which nothing is recorded yet.
func New(cfg Config) *Plan {
	p := &Plan{
		cfg:      cfg,
		graph:    cfg.Graph,
		tasks:    make([]task, 0, len(cfg.Tasks)),
		policies: []Policy{{}},
		extras:   map[int32]*extra{},
		again:    map[int32]*instanceHeap{},
		heldAll:  map[int32]struct{}{},
		heldOne:  map[int32]struct{}{},
		idle:     true,
		groups:   make([]group, len(cfg.Groups)),
		pools:    make([]pool, len(cfg.Pools)),
	}
	for i, c := range cfg.Pools {
		p.pools[i] = newPool(c)
	}
	for i, c := range cfg.Groups {
		p.groups[i] = group{pool: int32(c.Pool), place: -1}
	}
	p.addTasks(cfg.Tasks)
	if cfg.LongestPathFirst {
		p.measurePaths(0)
	}
	return p
}

// GrowGroups makes known the groups that there are by now.
func (p *Plan) GrowGroups(groups []Group) {
	for _, g := range groups[len(p.groups):] {
		p.groups = append(p.groups, group{pool: int32(g.Pool), place: -1})
	}
}

// Begin starts a run of which nothing but its opening is recorded.
func (p *Plan) Begin(now time.Time) {
	p.indexAll(now)
	p.settle(now)
}

// Restart makes a plan to which the records of a run were applied ready to go
// on. Call [Plan.Tick] when what is open and what is to be retried is settled.
func (p *Plan) Restart(now time.Time) {
	p.replayed = nil
	p.indexAll(now)
}

// Take returns what there is to do. The caller may use it until it calls
// Recycle with it.
func (p *Plan) Take() Batch {
	b := p.batch
	p.batch, p.spare = p.spare, Batch{}
	return b
}

// Recycle gives the memory of a batch back. What is there for one much larger than
// this one, such as the first of a run, is let go.
func (p *Plan) Recycle(b Batch) {
	p.spare = Batch{}
	if n := len(b.Records); cap(b.Records) <= max(few, 4*n) {
		clear(b.Records)
		p.spare.Records = b.Records[:0]
	}
	if n := len(b.Actions); cap(b.Actions) <= max(few, 4*n) {
		p.spare.Actions = b.Actions[:0]
	}
}

// few records and actions are worth keeping room for.
const few = 256

// PendingRecords is how many records the next Take has.
func (p *Plan) PendingRecords() int { return len(p.batch.Records) }

// Pending reports whether Take has anything to return.
func (p *Plan) Pending() bool { return !p.batch.Empty() }

// Open returns an attempt that is not closed. The caller only reads it.
func (p *Plan) Open(id ID) *Attempt { return &p.attempts[id] }

// Valid reports whether the attempt that a Start, Stop or Recall is about is still open.
// It may have been closed since the action was asked for, and its ID used again.
func (p *Plan) Valid(a Action) bool {
	x := &p.attempts[a.ID]
	return x.open && x.use == a.use
}

// Paused reports whether the attempt was not started and waits to be handed
// over again.
func (p *Plan) Paused(id ID) bool { return p.attempts[id].open && p.attempts[id].paused }

// LastAttempt returns the number of the last attempt of an instance, 0 if there
// was none, and whether it is open.
func (p *Plan) LastAttempt(task, instance int) (number int, isOpen bool) {
	k := p.tasks[task].first + int32(instance)
	if x := p.extras[k]; x != nil {
		number = int(x.number)
	} else if s := p.states[k]; s != waiting && s != killed && !p.tasks[task].is(barrier) {
		number = 1
	}
	return number, p.states[k] == open
}

// Opens yields the attempts that are not closed.
func (p *Plan) Opens(yield func(ID, *Attempt) bool) {
	for i := range p.attempts {
		if p.attempts[i].open && !yield(ID(i), &p.attempts[i]) {
			return
		}
	}
}

// Timer returns when [Plan.Tick] wants to be called. ok is false if nothing
// waits for the time.
func (p *Plan) Timer() (at time.Time, ok bool) {
	if len(p.timers) == 0 || p.finished {
		return time.Time{}, false
	}
	return time.Unix(0, p.timers[0].at), true
}

// record returns a new record about a task to hand out. Records are large, so
// they are filled in where they are.
func (p *Plan) record(kind statelog.Kind, now time.Time, task int) *statelog.Record {
	n := len(p.batch.Records)
	if n == cap(p.batch.Records) {
		p.batch.Records = append(p.batch.Records, statelog.Record{})
	} else {
		p.batch.Records = p.batch.Records[:n+1] // Recycle cleared it
	}
	r := &p.batch.Records[n]
	r.Kind, r.Time, r.Task = kind, now, task
	return r
}

// attemptRecord returns a new record about an attempt.
func (p *Plan) attemptRecord(kind statelog.Kind, now time.Time, a *Attempt) *statelog.Record {
	r := p.record(kind, now, a.Task)
	r.Instance, r.Attempt = a.Instance, a.Number
	return r
}

func (p *Plan) act(a Action) {
	if a.Kind == Start || a.Kind == Stop || a.Kind == Recall {
		a.use = p.attempts[a.ID].use
	}
	p.batch.Actions = append(p.batch.Actions, a)
}
