package sim_test

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/expand"
	"github.com/daggy-go/daggy/statelog"
)

// An instance names an instance by its task and its place in it.
type instance struct {
	task  string
	index int
}

// An attempt names an attempt, without the random part of its key.
type attempt struct {
	instance
	number int
}

func (a attempt) compare(b attempt) int {
	return cmp.Or(cmp.Compare(a.task, b.task), cmp.Compare(a.index, b.index),
		cmp.Compare(a.number, b.number))
}

func (a attempt) String() string { return fmt.Sprintf("%s[%d]#%d", a.task, a.index, a.number) }

// state of an instance in the book.
type state string

const (
	waiting   state = "waiting"
	open      state = "open" // an attempt is not closed
	completed state = "completed"
	failed    state = "failed"
	killed    state = "killed"
)

// settled reports whether nothing more happens to the instance by itself.
func (s state) settled() bool { return s == completed || s == failed || s == killed }

// A page is what the book knows of an instance.
type page struct {
	state    state
	attempts int  // the number of the last one
	failures int  // of the task, since somebody had it retried
	losses   int  // since then
	all      int  // failures there ever were
	held     bool // by itself
	due      time.Time
	deaths   int // of engines in a row that had it open and got nothing done
}

// A chapter is what the book knows of a task.
type chapter struct {
	task    dag.Task
	pages   []page
	parents map[int]bool
	// lateParents came when the task had started, and do not hold it back (D8).
	lateParents map[int]bool
	begun       int  // attempts, but for those that were not started
	held        bool // all of it
	late        bool // has had such a parent
	passed      bool // a barrier of which a record says that its time has come
}

func (c *chapter) barrier() bool { return len(c.task.Job.Command) == 0 }

func (c *chapter) done() bool {
	for _, p := range c.pages {
		if p.state != completed {
			return false
		}
	}
	return true
}

// A book folds the records of a run the plain way: it keeps everything, asks
// for everything anew each time, and knows nothing of queues, counters or
// indexes. What a record must not say is an error that names an invariant.
type book struct {
	dag      *dag.DAG // grows by what is spliced
	chapters []chapter
	seq      uint64
	engine   string // that has the run
	closed   bool
	left     bool // the engine left in good order
	idle     bool // it has seen no attempt end by itself
	verdict  string
	failFast bool
	aborted  bool
	poison   int // deaths that are too many; not positive: none are
	budget   int // losses that an instance may have; negative: any number
	// decided: a user or fail-fast interfered, so that the outcome of the run
	// is not the scenario's alone.
	decided bool
}

func newBook(d *dag.DAG) *book {
	b := &book{dag: d.Clone(), idle: true}
	b.add(b.dag.Tasks)
	b.connect(0, b.dag.Tasks, -1)
	return b
}

// limits takes note of what the Runner is told to bear.
func (b *book) limits(o options) { b.poison, b.budget = o.poison, o.budget }

// add makes chapters of tasks.
func (b *book) add(tasks []dag.Task) {
	for _, t := range tasks {
		template, err := expand.Compile(t, b.dag.JobDefaults, b.dag.Parameters)
		n := 1
		if err == nil {
			n = template.Len()
		}
		c := chapter{
			task: t, pages: make([]page, n), parents: map[int]bool{}, lateParents: map[int]bool{},
		}
		for i := range c.pages {
			c.pages[i].state = waiting
		}
		b.chapters = append(b.chapters, c)
	}
}

// connect adds the edges of tasks, which are the chapters from a place on.
func (b *book) connect(from int, tasks []dag.Task, generator int) {
	for i, t := range tasks {
		if generator >= 0 {
			b.edge(generator, from+i, from)
		}
		for _, p := range t.Parents {
			b.edge(b.index(p), from+i, from)
		}
		for _, c := range t.Children {
			b.edge(from+i, b.index(c), from)
		}
	}
}

// edge adds an edge. A child from before the splice that has started is not held
// back any more (D8).
func (b *book) edge(parent, child, from int) {
	c := &b.chapters[child]
	if child < from && (c.begun > 0 || c.barrier() && c.settled()) {
		c.late, c.lateParents[parent] = true, true
		return
	}
	c.parents[parent] = true
}

func (c *chapter) settled() bool {
	return !slices.ContainsFunc(c.pages, func(p page) bool { return !p.state.settled() })
}

func (b *book) index(name string) int {
	return slices.IndexFunc(b.chapters, func(c chapter) bool { return c.task.Name == name })
}

// find returns the page of an instance, or nil.
func (b *book) find(k instance) *page {
	i := b.index(k.task)
	if i < 0 || k.index >= len(b.chapters[i].pages) {
		return nil
	}
	return &b.chapters[i].pages[k.index]
}

// admitted reports whether the parents of a chapter let it start.
func (b *book) admitted(i int) bool {
	c := &b.chapters[i]
	if c.late {
		return true
	}
	for p := range c.parents {
		if !b.chapters[p].done() {
			return false
		}
	}
	return true
}

// passBarriers completes the barriers that nothing holds back, and those that
// this frees.
func (b *book) passBarriers() {
	for again := true; again; {
		again = false
		for i := range b.chapters {
			c := &b.chapters[i]
			timed := !c.task.NotBefore.IsZero() && !c.passed
			if !c.barrier() || timed || c.held || !b.admitted(i) {
				continue
			}
			for k := range c.pages {
				if p := &c.pages[k]; p.state == waiting && !p.held {
					p.state, again = completed, true
				}
			}
		}
	}
}

// holds returns what a user holds: tasks, and instances of tasks that are not
// held.
func (b *book) holds() []string {
	var names []string
	for i := range b.chapters {
		c := &b.chapters[i]
		held := slices.ContainsFunc(c.pages, func(p page) bool { return p.held })
		if c.held || held {
			names = append(names, c.task.Name)
		}
	}
	return names
}

// name returns the name of an instance as users know it.
func (b *book) name(k instance) string {
	c := &b.chapters[b.index(k.task)]
	template, err := expand.Compile(c.task, b.dag.JobDefaults, b.dag.Parameters)
	if err != nil || !template.Multiplied() {
		return k.task
	}
	return expand.InstanceName(k.task, k.index)
}

// states returns the state of every instance by its name, as a report has them.
func (b *book) states() map[string]string {
	states := map[string]string{}
	for _, c := range b.chapters {
		for k, p := range c.pages {
			s := string(p.state)
			if b.closed && p.state == waiting {
				s = "skipped"
			}
			states[b.name(instance{c.task.Name, k})] = s
		}
	}
	return states
}

// kindsThatEnd are of records that close an attempt.
var kindsThatEnd = []statelog.Kind{statelog.Done, statelog.Lost, statelog.NotStarted}
