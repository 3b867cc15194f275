package slurm

import (
	"context"
	"runtime/debug"
	"sync"
	"time"

	"github.com/daggy-go/daggy/executor"
)

// clerks is how many calls of Run are looked at at the same time, as long as that
// takes no time. Where none of them gets on for so long as stuck, there are more, up to
// mostClerks: each may take a thread, of which a program has 10,000.
const (
	clerks     = 32
	mostClerks = 4096
	stuck      = 5 * time.Second
)

// A desk is where calls of Run are looked at. The calls themselves only wait:
// thousands do, for hours, and a stack on which files were read and texts made has
// grown to several times what it takes to wait.
type desk struct {
	mu    sync.Mutex // guards what follows
	calls int
	shift *shift
}

// A shift is a time in which there are calls of Run. What is in it is guarded by
// desk.mu. Its clerks stay to the end: one that ended would leave a goroutine with a
// large stack to the next call of Run.
type shift struct {
	desk    *desk
	due     []*call // to be looked at
	working int     // clerks
	idle    int     // of them
	news    *sync.Cond
	over    bool
	more    int // clerks in the place of those that are stuck
	looks   int // that have ended
	clerks  sync.WaitGroup
	// relief calls relieve. Nil: no call has waited for a clerk. Seen is the number of
	// looks when it was set.
	relief *time.Timer
	seen   int
}

// enter adds a call of Run. It is made on the stack that waits, so it does little.
func (d *desk) enter(c *call) {
	d.mu.Lock()
	if d.calls == 0 {
		d.shift = &shift{news: sync.NewCond(&d.mu), desk: d}
	}
	d.calls++
	c.shift = d.shift
	c.due = true
	c.goes.Add(1)
	c.shift.add(c)
	d.mu.Unlock()
}

// leave takes away a call of Run that is over. The last one waits for the clerks;
// and whoever was told to, for the session.
func (d *desk) leave(c *call) {
	d.mu.Lock()
	d.calls--
	last := d.calls == 0
	if last {
		c.shift.over = true
		c.shift.news.Broadcast()
		if c.shift.relief != nil {
			c.shift.relief.Stop()
		}
	}
	d.mu.Unlock()
	if last {
		c.shift.clerks.Wait()
	}
	if c.session != nil {
		c.session.end()
	}
}

// poke has the call looked at once more, if it is not over.
func (c *call) poke() {
	d := &c.e.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.due {
		return
	}
	if c.due = true; !c.busy {
		c.shift.add(c)
	}
}

// halt is called when ctx has ended. To let go of a job takes no file, so that does
// not wait for clerks, who may be stuck in files.
func (c *call) halt() {
	if !detached(c.ctx) || !c.grab() {
		c.poke()
		return
	}
	c.shift.look(c)
}

// grab takes a call that nobody looks at and that is not over.
func (c *call) grab() bool {
	d := &c.e.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.busy || c.outcome != nil {
		return false
	}
	c.busy = true
	return true
}

// add has a call looked at, with mu held.
func (s *shift) add(c *call) {
	s.due = append(s.due, c)
	switch {
	case len(s.due) <= s.idle:
		s.news.Signal()
	case s.working < clerks+s.more:
		s.hire()
	case s.relief == nil:
		s.wait()
	}
}

// wait has relieve called in a while, with mu held.
func (s *shift) wait() {
	s.seen = s.looks
	s.relief = time.AfterFunc(stuck, s.relieve)
}

// relieve is called while calls wait for a clerk. If no look has ended in all that
// time, what the clerks look at is in files, or with writers, that take for ever:
// others are looked at by further clerks.
func (s *shift) relieve() {
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	s.relief = nil
	if s.over || len(s.due) == 0 {
		return
	}
	if s.looks == s.seen && s.working < mostClerks {
		s.more += clerks
		for range min(clerks, len(s.due)) {
			s.hire()
		}
	}
	s.wait()
}

func (s *shift) hire() {
	s.working++
	s.clerks.Go(s.work)
}

// work is what a clerk does.
func (s *shift) work() {
	ended := false
	defer func() {
		if !ended {
			s.replace()
		}
	}()
	for c := s.next(); c != nil; c = s.next() {
		s.look(c)
	}
	ended = true
}

// next returns nil if there is nothing more for a clerk to do.
func (s *shift) next() *call {
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	for {
		for len(s.due) > 0 {
			c := s.due[0]
			s.due[0], s.due = nil, s.due[1:]
			if !c.busy && c.outcome == nil { // else it was grabbed
				c.due, c.busy = false, true
				return c
			}
		}
		s.due = nil // it may have been long
		if s.over {
			return nil
		}
		s.idle++
		s.news.Wait()
		s.idle--
	}
}

// replace is called when somebody whom a run calls has called runtime.Goexit, with
// which this goroutine ends.
func (s *shift) replace() {
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	s.working--
	if len(s.due) > 0 {
		s.hire()
	}
}

// look looks at a call, and has it return if it is over.
func (s *shift) look(c *call) {
	if c.run == nil {
		c.run = &run{call: c}
	}
	var o *outcome
	returned := false
	defer func() {
		if !returned {
			v := recover()
			if v == nil {
				v = "runtime.Goexit was called"
			}
			o = failure(&executor.PanicError{Value: v, Stack: debug.Stack()})
		}
		if o != nil {
			c.run.end()
		}
		s.looked(c, o)
	}()
	o = c.run.turn()
	returned = true
}

func (s *shift) looked(c *call, o *outcome) {
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	c.busy = false
	s.looks++
	switch {
	case o != nil:
		c.due = true // so that it is not looked at again
		c.outcome = o
		c.goes.Done()
	case c.due:
		s.add(c)
	}
}

// end undoes what looking at the run has set up.
func (r *run) end() {
	if r.unhook != nil {
		r.unhook()
	}
	if r.tick != nil {
		r.tick.Stop()
	}
	if r.joined {
		r.session = r.e.keeper.leave(r.item, r)
	}
}

// hook has the run looked at when ctx ends.
func (r *run) hook() {
	if r.unhook != nil {
		return
	}
	// context.AfterFunc looks at Done first, for which package runner makes a
	// context that takes more memory than all else of a run.
	if ctx, ok := r.ctx.(interface{ AfterFunc(f func()) func() bool }); ok {
		r.unhook = ctx.AfterFunc(r.halt)
		return
	}
	r.unhook = context.AfterFunc(r.ctx, r.halt)
}
