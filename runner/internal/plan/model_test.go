package plan_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/runner/internal/plan"
	"github.com/daggy-go/daggy/statelog"
)

// world runs a random DAG with a plan: executors that fail, lose and refuse to
// start, generators, commands of users. It checks the plan after every event.
type world struct {
	t      *testing.T
	seed   uint64
	rnd    *rand.Rand
	now    time.Time
	config plan.Config
	graph  *dag.Graph
	names  []dag.Task
	tasks  []plan.Task
	plan   *plan.Plan

	log     []statelog.Record
	splices []splice             // in the order of their records
	states  map[int][]plan.State // after so many records
	ready   []plan.Action
	blocked map[int]bool
	free    int // of the leased pool
	closed  bool
	// fate is how many attempts of an instance fail before one succeeds.
	fate    map[[2]int]int
	started map[[2]int]int
	ended   map[[3]int]bool
	done    map[[2]int]bool
	due     map[[2]int]time.Time // of the next attempt
	begun   map[int]bool         // tasks of which an executor had an attempt
	late    map[[2]int]bool      // edges, parent and child, that came too late
	held    map[[2]int]bool      // instances, and tasks with instance -1
}

type splice struct {
	tasks   []dag.Task
	planned []plan.Task
}

const leases = 3

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	w := &world{
		t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1e9, 0),
		states: map[int][]plan.State{}, blocked: map[int]bool{}, free: leases,
		fate: map[[2]int]int{}, started: map[[2]int]int{}, ended: map[[3]int]bool{},
		done: map[[2]int]bool{}, due: map[[2]int]time.Time{}, begun: map[int]bool{},
		late: map[[2]int]bool{}, held: map[[2]int]bool{},
	}
	n := 1 + w.rnd.IntN(12)
	for i := range n {
		task := dag.Task{Name: fmt.Sprint("t", i)}
		for p := range i {
			if w.rnd.IntN(4) == 0 {
				task.Parents = append(task.Parents, fmt.Sprint("t", p))
			}
		}
		w.names = append(w.names, task)
		w.tasks = append(w.tasks, w.randomTask())
	}
	w.config = plan.Config{
		Groups: []plan.Group{{Pool: 0}, {Pool: 1}, {Pool: 1}},
		Pools: []plan.Pool{
			{Slots: 1 + w.rnd.IntN(3), Ahead: w.rnd.IntN(3)}, {Slots: -1, Leased: true},
		},
		FailFast:         w.rnd.IntN(8) == 0,
		LongestPathFirst: w.rnd.IntN(2) == 0,
		Lost:             plan.Backoff{Min: time.Second, Max: time.Minute, Budget: 2},
		Seed:             seed,
	}
	w.graph, w.plan = w.fresh()
	w.log = append(w.log, statelog.Record{Seq: 1, Kind: statelog.Opened, Time: w.now})
	return w
}

// fresh makes the graph and the plan as they were when the run was opened.
func (w *world) fresh() (*dag.Graph, *plan.Plan) {
	graph, err := dag.NewGraph(w.names)
	require.NoError(w.t, err)
	c := w.config
	c.Graph, c.Tasks = graph, w.tasks
	return graph, plan.New(c)
}

func (w *world) randomTask() plan.Task {
	t := plan.Task{Instances: 1, Group: w.rnd.Int32N(3)}
	if w.rnd.IntN(3) == 0 {
		t.Instances = 1 + w.rnd.Int32N(5)
	}
	switch w.rnd.IntN(8) {
	case 0:
		t.Barrier = true
	case 1:
		t.Generator = true
	}
	if w.rnd.IntN(2) == 0 {
		t.Policy = &plan.Policy{}
		t.Policy.MaxRetries = w.rnd.IntN(3)
		t.Policy.RetryInterval = time.Duration(w.rnd.IntN(3)) * time.Second
		t.Policy.Priority = w.rnd.IntN(3)
	}
	if t.Policy != nil && w.rnd.IntN(4) == 0 {
		t.Policy.NotBefore = w.now.Add(time.Duration(w.rnd.IntN(60)) * time.Second).UnixNano()
	}
	return t
}

// run goes on until the plan closes.
func (w *world) run() {
	w.plan.Begin(w.now)
	for step := 0; !w.closed; step++ {
		require.Less(w.t, step, 20_000, "the run does not end")
		w.take()
		if !w.closed && !w.step() {
			require.Fail(w.t, "stuck", "nothing can happen, and the run is open")
		}
		w.check()
	}
}

func (w *world) take() {
	for w.lease(); w.plan.Pending(); w.lease() {
		b := w.plan.Take()
		for _, r := range b.Records {
			r.Seq = uint64(len(w.log) + 1)
			w.log = append(w.log, r)
			w.recorded(&r)
		}
		for _, a := range b.Actions {
			w.act(a)
		}
		w.plan.Recycle(b)
	}
	w.states[len(w.log)] = settled(w.plan)
}

// settled returns the states without what only the memory of an engine has.
func settled(p *plan.Plan) []plan.State {
	s := p.States()
	for i := range s {
		if s[i] == plan.Running {
			s[i] = plan.Queued
		}
	}
	return s
}

// replay checks I7: a plan that applies the records up to any of them is where
// the plan was that made them.
func (w *world) replay() {
	graph, p := w.fresh()
	splices := w.splices
	for i := range w.log {
		r := &w.log[i]
		var planned []plan.Task
		if len(r.Output) > 0 {
			require.NoError(w.t, graph.Splice(r.Task, splices[0].tasks))
			planned = splices[0].planned
			splices = splices[1:]
		}
		require.NoError(w.t, p.Apply(r, planned))
		if want, ok := w.states[i+1]; ok {
			require.Equal(w.t, want, settled(p), "I7: after record %d, %v", r.Seq, r.Kind)
		}
	}
	require.Empty(w.t, splices)
	require.Equal(w.t, w.plan.Counts(), p.Counts())
	require.True(w.t, p.Closed())
	require.Equal(w.t, w.plan.Verdict(), p.Verdict())
}

func (w *world) lease() {
	for {
		group, ok := w.plan.Want(1)
		if !ok {
			return
		}
		if w.free < group { // group 2 needs two
			w.plan.Refuse(group)
			w.blocked[group] = true
			continue
		}
		w.free -= group
		w.plan.Lease(w.now, group, "node")
	}
}

func (w *world) act(a plan.Action) {
	switch a.Kind {
	case plan.Start:
		if w.plan.Valid(a) {
			w.ready = append(w.ready, a)
		}
	case plan.Stop, plan.Recall:
		if !w.plan.Valid(a) {
			return
		}
		if !w.plan.Open(a.ID).Running {
			w.giveBack(w.plan.Open(a.ID).Group)
			w.plan.Withdraw(w.now, a.ID)
		}
	case plan.Close:
		w.closed = true
	case plan.Leave: // there is no line here
	}
}

func (w *world) giveBack(group int) {
	if group > 0 {
		w.free += group
		w.plan.Freed(1)
	}
}

// recorded checks a record against those before it.
func (w *world) recorded(r *statelog.Record) {
	k := [2]int{r.Task, r.Instance}
	switch r.Kind {
	case statelog.Intent:
		require.False(w.t, w.done[k], "I2: %v starts again", k)
		require.Equal(w.t, w.started[k]+1, r.Attempt, "I4: %v", k)
		w.started[k] = r.Attempt
		require.False(w.t, r.Time.Before(w.due[k]), "R3: %v starts too early", k)
		require.False(w.t, w.held[k] || w.held[[2]int{r.Task, -1}], "R10: %v starts while held", k)
	case statelog.Done, statelog.Lost, statelog.NotStarted:
		if r.Attempt == 0 {
			return // a barrier
		}
		a := [3]int{r.Task, r.Instance, r.Attempt}
		require.False(w.t, w.ended[a], "I4: %v is closed twice", a)
		w.ended[a] = true
		w.due[k] = r.Time.Add(r.Delay)
		if r.Kind == statelog.Done && r.Class == statelog.Success {
			w.done[k] = true
		}
	default: // it is not about an attempt, or only says more of it
	}
}

// step makes one thing happen, and reports whether anything could.
func (w *world) step() bool {
	w.now = w.now.Add(time.Duration(w.rnd.IntN(300)) * time.Millisecond)
	var valid []plan.Action
	for _, a := range w.ready {
		if w.plan.Valid(a) && !w.plan.Open(a.ID).Running {
			valid = append(valid, a)
		}
	}
	w.ready = valid
	var running []plan.ID
	for id, a := range w.plan.Opens {
		if a.Running {
			running = append(running, id)
		}
	}
	choice := w.rnd.IntN(20)
	switch {
	case choice == 0 && w.plan.Len() > 0:
		w.command()
		return true
	case choice < 8 && len(w.ready) > 0:
		i := w.rnd.IntN(len(w.ready))
		w.start(w.ready[i])
		w.ready = append(w.ready[:i], w.ready[i+1:]...)
		return true
	case len(running) > 0:
		w.finish(running[w.rnd.IntN(len(running))])
		return true
	case len(w.ready) > 0:
		w.start(w.ready[0])
		w.ready = w.ready[1:]
		return true
	}
	if at, ok := w.plan.Timer(); ok {
		if at.After(w.now) {
			w.now = at
		}
		w.plan.Tick(w.now)
		return true
	}
	return w.releaseAll()
}

// start checks I5 against the log: all parents have completed.
func (w *world) start(a plan.Action) {
	open := w.plan.Open(a.ID)
	w.plan.Running(a.ID)
	begun := w.begun[open.Task]
	w.begun[open.Task] = true
	if begun {
		return // what has started once is not held back any more (D8)
	}
	for _, p := range w.graph.Parents(open.Task) {
		_, n := w.plan.Instances(int(p))
		for i := range n {
			done := w.plan.State(int(p), i) == plan.Completed
			late := w.late[[2]int{int(p), open.Task}]
			require.True(w.t, done || late, "I5: task %d starts before %d", open.Task, p)
		}
	}
}

func (w *world) finish(id plan.ID) {
	a := *w.plan.Open(id)
	k := [2]int{a.Task, a.Instance}
	o := plan.Outcome{Class: statelog.Success, Start: w.now}
	if _, ok := w.fate[k]; !ok {
		w.fate[k] = max(0, w.rnd.IntN(6)-3)
	}
	switch w.rnd.IntN(10) {
	case 0:
		o.Class, o.Lost = statelog.NotRun, true
	case 1:
		o.Class, o.NotStarted = statelog.NotRun, true
		w.plan.Finish(w.now, id, &o)
		if !w.plan.Paused(id) {
			w.giveBack(a.Group)
		}
		return
	default:
		if w.fate[k] > 0 {
			w.fate[k]--
			o.Class = statelog.Failure
		} else {
			w.generate(&a, &o)
		}
	}
	w.giveBack(a.Group)
	w.plan.Finish(w.now, id, &o)
}

// generate splices random tasks with random children.
func (w *world) generate(a *plan.Attempt, o *plan.Outcome) {
	if a.Task >= len(w.tasks) || !w.tasks[a.Task].Generator || w.graph.Len() > 40 {
		return
	}
	var made []dag.Task
	for i := range 1 + w.rnd.IntN(3) {
		task := dag.Task{Name: fmt.Sprintf("g%d.%d.%d", a.Task, a.Instance, i)}
		if w.rnd.IntN(2) == 0 {
			task.Children = []string{w.graph.Name(w.rnd.IntN(w.graph.Len()))}
		}
		if w.rnd.IntN(3) == 0 {
			task.Parents = []string{w.graph.Name(w.rnd.IntN(w.graph.Len()))}
		}
		made = append(made, task)
	}
	from := w.graph.Len()
	if w.graph.Splice(a.Task, made) != nil {
		return // a cycle
	}
	for range made {
		t := w.randomTask()
		t.Generator = false
		o.Splice = append(o.Splice, t)
	}
	for i := from; i < w.graph.Len(); i++ {
		for _, c := range w.graph.Children(i) {
			if int(c) < from {
				w.late[[2]int{i, int(c)}] = w.begun[int(c)]
				w.withdraw(int(c), o)
			}
		}
	}
	w.splices = append(w.splices, splice{made, o.Splice})
	o.Output = []byte("{}")
}

func (w *world) withdraw(task int, o *plan.Outcome) {
	var ids []plan.ID
	if w.plan.Started(task, func(id plan.ID) bool {
		if w.plan.Open(id).Running {
			return false
		}
		ids = append(ids, id)
		return true
	}) {
		return
	}
	for _, id := range ids {
		known := false
		for _, have := range o.Withdraw {
			known = known || have == id
		}
		if !known {
			w.giveBack(w.plan.Open(id).Group)
			o.Withdraw = append(o.Withdraw, id)
		}
	}
}

func (w *world) command() {
	task := w.rnd.IntN(w.plan.Len())
	_, n := w.plan.Instances(task)
	instance := w.rnd.IntN(n+1) - 1
	d := statelog.Decision(1 + w.rnd.IntN(4))
	if w.plan.Decide(w.now, d, task, instance, w.rnd.IntN(2) == 0) != nil {
		return
	}
	switch d {
	case statelog.Hold:
		w.held[[2]int{task, instance}] = true
	case statelog.Release:
		w.released(task, instance)
	default: // that changes nothing here
	}
}

// released forgets a hold. A whole task is released with its instances.
func (w *world) released(task, instance int) {
	delete(w.held, [2]int{task, instance})
	for k := range w.held {
		if k[0] == task && instance < 0 {
			delete(w.held, k)
		}
	}
}

// releaseAll ends all holds.
func (w *world) releaseAll() bool {
	found := false
	for task := range w.plan.Len() {
		if w.plan.Decide(w.now, statelog.Release, task, statelog.WholeTask, false) == nil {
			w.released(task, statelog.WholeTask)
			found = true
		}
	}
	return found
}

func (w *world) check() {
	c := w.plan.Counts()
	total := 0
	for _, n := range c {
		require.GreaterOrEqual(w.t, n, 0, "counts %v", c)
		total += n
	}
	var seen plan.Counts
	for _, s := range w.plan.States() {
		seen[s]++
		total--
	}
	require.Zero(w.t, total)
	require.Equal(w.t, seen, c)
	leased := 0
	for _, a := range w.plan.Opens {
		leased += a.Group
	}
	require.LessOrEqual(w.t, leased, leases, "I10")
	if w.closed {
		require.Equal(w.t, leases, w.free, "I10: not all was given back")
	}
}

// TestModel runs many random worlds to their end.
func TestModel(t *testing.T) {
	t.Parallel()
	seen, decided, spliced := map[statelog.Kind]int{}, map[statelog.Decision]int{}, 0
	for seed := range uint64(3000) {
		ok := t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			w := newWorld(t, seed)
			w.run()
			w.replay()
			for i := range w.log {
				seen[w.log[i].Kind]++
				if w.log[i].Kind == statelog.Decided {
					decided[w.log[i].Decision]++
				}
			}
			spliced += len(w.splices)
		})
		if !ok {
			return
		}
	}
	for k := statelog.Opened; k <= statelog.Closed; k++ {
		if k != statelog.Resumed && k != statelog.Started {
			require.NotZero(t, seen[k], "no record of kind %v was ever made", k)
		}
	}
	for d := statelog.Kill; d <= statelog.FailFast; d++ {
		require.NotZero(t, decided[d], "nothing was ever decided by %v", d)
	}
	require.NotZero(t, spliced)
}
