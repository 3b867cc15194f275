package sim_test

import (
	"fmt"
	"slices"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/statelog"
)

// fold adds a record, or says which invariant forbids it.
func (b *book) fold(r *statelog.Record) error {
	b.seq++
	if r.Seq != b.seq {
		return fmt.Errorf("L1: record %d comes after %d", r.Seq, b.seq-1)
	}
	if b.closed && r.Kind != statelog.Reopened {
		return fmt.Errorf("L1: %v after the run was closed", r.Kind)
	}
	err := b.foldKind(r)
	if err != nil {
		return fmt.Errorf("record %d, %v: %w", r.Seq, r.Kind, err)
	}
	b.passBarriers()
	return nil
}

func (b *book) foldKind(r *statelog.Record) error {
	switch r.Kind {
	case statelog.Opened:
		b.engine = r.Engine
		return nil
	case statelog.Resumed:
		b.takenUp(r)
		return nil
	case statelog.Detached:
		b.left = true
		return nil
	case statelog.Reopened:
		b.takenUp(r)
		b.closed, b.failFast, b.aborted, b.decided = false, false, false, true
		return nil
	case statelog.Closed:
		return b.foldClosed(r)
	case statelog.Decided:
		b.decided = true
		return b.foldDecided(r)
	default: // it is about an attempt
	}
	if r.Task < 0 || r.Task >= len(b.chapters) || r.Instance < 0 ||
		r.Instance >= len(b.chapters[r.Task].pages) {
		return fmt.Errorf("I6: instance %d of task %d, which is not there", r.Instance, r.Task)
	}
	c := &b.chapters[r.Task]
	p := &c.pages[r.Instance]
	switch {
	case r.Kind == statelog.Intent:
		return b.foldIntent(r, c, p)
	case c.barrier():
		return b.foldBarrier(r, c)
	case p.state != open || p.attempts != r.Attempt:
		return fmt.Errorf("I4: attempt %d of %s[%d] is not open",
			r.Attempt, c.task.Name, r.Instance)
	case r.Kind == statelog.Started:
		return nil
	default:
		return b.foldEnd(r, c, p)
	}
}

// takenUp ends what is known of the engine before. What it had open when it died
// is suspected, unless an attempt ended by itself while it was at work.
func (b *book) takenUp(r *statelog.Record) {
	for i := range b.chapters {
		for k := range b.chapters[i].pages {
			p := &b.chapters[i].pages[k]
			switch {
			case p.state != open || b.left:
			case b.idle:
				p.deaths++
			default:
				p.deaths = 0
			}
		}
	}
	b.engine, b.idle, b.left = r.Engine, true, false
}

func (b *book) foldIntent(r *statelog.Record, c *chapter, p *page) error {
	name := fmt.Sprintf("%s[%d]#%d", c.task.Name, r.Instance, r.Attempt)
	switch {
	case p.state == completed:
		return fmt.Errorf("I2: %s starts what has completed", name)
	case p.state != waiting:
		return fmt.Errorf("I4: %s starts what is %s", name, p.state)
	case r.Attempt <= p.attempts:
		return fmt.Errorf("I4: %s comes after attempt %d", name, p.attempts)
	case !b.admitted(r.Task):
		return fmt.Errorf("I5: %s starts before its parents completed", name)
	case c.held || p.held:
		return fmt.Errorf("R10: %s starts while it is held", name)
	case b.failFast || b.aborted:
		return fmt.Errorf("R2: %s starts while the run is being stopped for good", name)
	case r.Time.Before(c.task.NotBefore):
		return fmt.Errorf("R7: %s starts before its time", name)
	}
	p.state, p.attempts = open, r.Attempt
	c.begun++
	return nil
}

// foldBarrier takes the record of a barrier that had to wait for its time.
func (b *book) foldBarrier(r *statelog.Record, c *chapter) error {
	switch {
	case r.Kind != statelog.Done || r.Attempt != 0 || r.Class != statelog.Success:
		return fmt.Errorf("D9: %v of barrier %s", r.Kind, c.task.Name)
	case !b.admitted(r.Task):
		return fmt.Errorf("I5: barrier %s passes before its parents completed", c.task.Name)
	case r.Time.Before(c.task.NotBefore):
		return fmt.Errorf("R7: barrier %s passes before its time", c.task.Name)
	}
	c.passed = true
	return nil
}

// foldEnd takes the end of an open attempt.
func (b *book) foldEnd(r *statelog.Record, c *chapter, p *page) error {
	deaths := p.deaths
	if r.Kind == statelog.Done {
		b.idle, p.deaths = false, 0
	}
	switch {
	case r.Class == statelog.Poison && (b.poison <= 0 || deaths < b.poison):
		return fmt.Errorf("L4: attempt %d of %s[%d] is poison after %d deaths",
			r.Attempt, c.task.Name, r.Instance, deaths)
	case r.Kind == statelog.NotStarted:
		c.begun--
		if p.state = waiting; r.Class == statelog.Killed {
			p.state = killed
		}
		return nil
	case r.Kind == statelog.Done && r.Class == statelog.Success:
		if len(r.Output) > 0 {
			if err := b.splice(r); err != nil {
				return err
			}
			p = &b.chapters[r.Task].pages[r.Instance] // the chapters may have moved
		}
		p.state = completed
		return nil
	case r.Kind == statelog.Lost && r.Class == statelog.Interrupted:
		p.state = waiting
		return nil
	case r.Kind == statelog.Lost:
		p.losses++
	case counts(r.Class):
		p.failures++
		p.all++
	default: // killed, lost for good, or poison
	}
	return b.judge(r, c, p)
}

// counts reports whether a class of end is a failure of the task.
func counts(class statelog.Class) bool {
	return !slices.Contains([]statelog.Class{
		statelog.Success, statelog.Killed, statelog.Infrastructure, statelog.Poison,
		statelog.Interrupted,
	}, class)
}

// judge checks what a record says becomes of an instance whose attempt did not
// succeed.
func (b *book) judge(r *statelog.Record, c *chapter, p *page) error {
	name := fmt.Sprintf("%s[%d]#%d", c.task.Name, r.Instance, r.Attempt)
	final := r.Delay < 0
	p.state, p.due = waiting, r.Time.Add(r.Delay)
	switch {
	case r.Class == statelog.Killed:
		if p.state = killed; !b.decided {
			return fmt.Errorf("R10: %s is killed, which nobody decided", name)
		}
		return nil
	case final && counts(r.Class):
		p.state = failed
		if p.failures <= c.task.MaxRetries && !b.halting() && !permanent(r.Class, c) {
			return fmt.Errorf("I9: %s has no retries left after %d failures of %d",
				name, p.failures, c.task.MaxRetries+1)
		}
	case final:
		p.state = failed
		if r.Class == statelog.Infrastructure && (b.budget < 0 || p.losses+1 <= b.budget) {
			return fmt.Errorf("I9: %s is lost for good after %d losses of %d",
				name, p.losses+1, b.budget+1)
		}
	case counts(r.Class) && p.failures > c.task.MaxRetries:
		return fmt.Errorf("I9: %s has retries left after %d failures", name, p.failures)
	case b.halting():
		return fmt.Errorf("R2: %s is to be tried again although the run is being stopped", name)
	}
	return nil
}

func (b *book) halting() bool { return b.failFast || b.aborted }

// permanent reports whether a failure may be final although there are retries
// left: of one instance of a generator, another may have taken the names (D7).
func permanent(class statelog.Class, c *chapter) bool {
	return class == statelog.BadOutput && len(c.pages) > 1
}

// splice adds what a generator printed, by the plain way: on names (I6).
func (b *book) splice(r *statelog.Record) error {
	tasks, err := dag.ParseTasks(r.Output)
	if err == nil {
		err = b.dag.Splice(b.chapters[r.Task].task.Name, tasks)
	}
	if err != nil {
		return fmt.Errorf("I6: what was spliced cannot be: %w", err)
	}
	from := len(b.chapters)
	b.add(tasks)
	b.connect(from, tasks, r.Task)
	return nil
}

// foldClosed checks that nothing was left that could go on (R2).
func (b *book) foldClosed(r *statelog.Record) error {
	b.closed, b.verdict = true, "completed"
	for i := range b.chapters {
		c := &b.chapters[i]
		for k, p := range c.pages {
			switch {
			case p.state == open:
				return fmt.Errorf("I4: %s[%d] is open", c.task.Name, k)
			case p.state == waiting && b.admitted(i) && !b.halting():
				return fmt.Errorf("R2: %s[%d] could go on", c.task.Name, k)
			case p.state != completed:
				b.verdict = "failed"
			}
		}
	}
	if b.aborted {
		b.verdict = "killed"
	}
	if r.State != b.verdict {
		return fmt.Errorf("R1: the run is said to be %s and is %s", r.State, b.verdict)
	}
	return nil
}
