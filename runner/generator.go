package runner

import (
	"errors"
	"fmt"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/runner/internal/plan"
	"github.com/daggy-go/daggy/statelog"
)

// readGenerator parses and checks what a generator printed. If that cannot be
// used, the attempt failed.
func (e *engine) readGenerator(a *attempt, o *plan.Outcome) *generated {
	out, err := e.generated(a)
	if err != nil {
		badOutput(o, err)
		return nil
	}
	o.Output = out
	tasks, err := e.runner.Limits.ParseTasks(out)
	var g *generated
	if err == nil {
		g, err = e.def.expand(tasks)
	}
	if err != nil {
		badOutput(o, err)
		return nil
	}
	return g
}

func (e *engine) generated(a *attempt) ([]byte, error) {
	c := a.stdout.c.Load()
	if c == nil {
		return nil, errors.New("it printed nothing; a generator that adds no tasks prints {}")
	}
	out, cut, err := c.bytes()
	if err == nil && cut > 0 {
		err = fmt.Errorf("it printed %d bytes, more than the limit of %d; raise "+
			"Limits.GeneratorOutput or generate less", int64(len(out))+cut, e.outputs.generator)
	}
	return out, err
}

// badOutput makes a failure of a success (D7). What the executor says of it may be
// why: that the output could not be read, for example.
func badOutput(o *plan.Outcome, err error) {
	reason := "generator output: " + dag.Locate(o.Output, err).Error()
	if o.Reason != "" {
		reason += "; " + o.Reason
	}
	o.Class = statelog.BadOutput
	o.Reason = reason
	o.Output = nil
}

// splice adds generated tasks to the graph and to the definition, all or none,
// with mu held. What started before stays as it is; what an executor does not
// have yet is withdrawn if it now has to wait (D8).
func (e *engine) splice(a *attempt, g *generated, o *plan.Outcome) {
	if len(g.tasks) == 0 {
		return
	}
	planned, err := e.def.splice(a.task, g)
	if err != nil {
		badOutput(o, err)
		// Another instance may have generated tasks of these names: the first
		// wins for good (D7).
		o.Permanent = a.def.multiplied()
		return
	}
	o.Splice = planned
	e.plan.GrowGroups(e.def.pools.planGroups())
	from := e.plan.Len()
	seen := map[int32]bool{}
	for i := from; i < e.def.graph.Len(); i++ {
		for _, c := range e.def.graph.Children(i) {
			if int(c) < from && !seen[c] {
				seen[c] = true
				o.Withdraw = e.withdrawTask(int(c), o.Withdraw)
			}
		}
	}
}

// withdrawTask takes back the attempts of a task that has not started, and adds
// them to ids.
func (e *engine) withdrawTask(task int, ids []plan.ID) []plan.ID {
	var waiting []plan.ID
	started := e.plan.Started(task, func(id plan.ID) bool {
		if int(id) < len(e.attempts) && e.attempts[id] != nil &&
			(e.attempts[id].taken || e.attempts[id].Resumed) {
			return false
		}
		waiting = append(waiting, id)
		return true
	})
	if started {
		return ids
	}
	for _, id := range waiting {
		e.withdraw(e.attempt(id))
	}
	return append(ids, waiting...)
}
