package redislog

import (
	"fmt"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/expand"
	"github.com/daggy-go/daggy/statelog"
)

// A fold is what the records of a run come to, as far as documents say it.
type fold struct {
	run runDocument
	// frame has what generated tasks take from the definition. Nil: there are
	// no documents of tasks.
	frame *dag.DAG
	tasks []foldedTask
	// open has the attempts that are not over.
	open map[instance]taskDocument
	// byState counts the instances that any record is about.
	byState [states]int
	// changed has the documents that are not written, and written is the last
	// record that those which are know of.
	changed map[instance]taskDocument
	written uint64
	grown   time.Time // when it was last brought up to date
}

// An instance is one as records name it.
type instance struct{ task, index int }

type foldedTask struct {
	name       string
	multiplied bool
	instances  int
	states     []state // as far as any record is about them
}

func newFold(run string) *fold {
	return &fold{
		run:     runDocument{Version: documentVersion, Run: run},
		open:    make(map[instance]taskDocument),
		changed: make(map[instance]taskDocument),
	}
}

// unlimited is for what was within the limits when the run was opened.
var unlimited = dag.Limits{
	Tasks: -1, Instances: -1, Product: -1, GeneratorOutput: -1, Definition: -1, Depth: -1,
}

// add takes the next record.
func (f *fold) add(rec *statelog.Record) error {
	f.run.Seq = rec.Seq
	switch rec.Kind {
	case statelog.Opened:
		return f.opened(rec)
	case statelog.Resumed:
		f.run.Engine = rec.Engine
	case statelog.Reopened:
		f.run.Engine, f.run.State = rec.Engine, statelog.Running
		f.run.Closed, f.run.Reason = time.Time{}, ""
	case statelog.Closed:
		f.run.State, f.run.Closed, f.run.Reason = rec.State, rec.Time.UTC(), rec.Reason
	default:
		return f.task(rec)
	}
	return nil
}

func (f *fold) opened(rec *statelog.Record) error {
	f.run.State, f.run.Opened, f.run.Engine = statelog.Running, rec.Time.UTC(), rec.Engine
	op := rec.Opened
	if op == nil {
		return nil
	}
	f.run.Tags = op.Tags
	if op.Definition == nil || op.Expansion != expand.Version {
		return nil
	}
	d := op.Definition()
	f.frame = &dag.DAG{JobDefaults: d.JobDefaults, Parameters: d.Parameters}
	return f.define(d.Tasks)
}

// define numbers tasks in the order of the definition, and then in that of the
// splices.
func (f *fold) define(tasks []dag.Task) error {
	x := expand.Expander{Limits: unlimited}
	for _, t := range tasks {
		template, err := x.Compile(t, f.frame.JobDefaults, f.frame.Parameters)
		if err != nil {
			return err
		}
		f.tasks = append(f.tasks, foldedTask{
			name: t.Name, multiplied: template.Multiplied(), instances: template.Len(),
		})
		f.run.Tasks++
		if !template.Groups() {
			f.run.Instances += template.Len()
		}
	}
	return nil
}

// task takes a record of an instance. Those about tasks that the definition does
// not have, and those about a whole task, change nothing.
func (f *fold) task(rec *statelog.Record) error {
	if rec.Task < 0 || rec.Task >= len(f.tasks) {
		return nil
	}
	t := &f.tasks[rec.Task]
	if rec.Instance < 0 || rec.Instance >= t.instances {
		return nil
	}
	for len(t.states) <= rec.Instance {
		t.states = append(t.states, states)
	}
	at := instance{rec.Task, rec.Instance}
	f.change(at, rec)
	if rec.Kind != statelog.Done || rec.Output == nil {
		return nil
	}
	generated, err := unlimited.ParseTasks(rec.Output)
	if err == nil {
		err = f.define(generated)
	}
	if err != nil {
		return fmt.Errorf("tasks of generator %q: %w", f.name(at), err)
	}
	return nil
}

// change applies a record to the state and the document of an instance.
func (f *fold) change(at instance, rec *statelog.Record) {
	before := f.tasks[at.task].states[at.index]
	after := waiting
	document, open := f.open[at]
	if !open {
		document = f.document(at)
	}
	document.Seq = rec.Seq
	switch rec.Kind {
	case statelog.Intent:
		document = f.document(at)
		document.Seq, document.Attempts = rec.Seq, rec.Attempt
		document.Node, document.Started = rec.Node, rec.Time.UTC()
		after = running
	case statelog.Started:
		document.Attempts, document.Ref = rec.Attempt, rec.Ref
		if rec.Node != "" {
			document.Node = rec.Node
		}
		after = running
	case statelog.Done, statelog.Lost:
		after = stateAfter(rec)
		document.end(rec)
	case statelog.NotStarted:
		document.Attempts, document.Reason = rec.Attempt, rec.Reason
		document.Started, document.Node = time.Time{}, ""
	default:
		var changes bool
		if after, changes = decided(rec, before); !changes {
			return
		}
		document.Reason = rec.Reason
	}
	document.State = stateNames[after]
	f.put(at, before, after, document)
}

// decided returns the state after a decision about an instance, which does not
// reach an attempt that runs: its end does.
func decided(rec *statelog.Record, before state) (after state, changes bool) {
	switch rec.Decision {
	case statelog.Kill:
		return killed, before == states || before == waiting
	case statelog.Retry:
		return waiting, before == failed || before == killed
	default:
		return before, false
	}
}

func (f *fold) put(at instance, before, after state, document taskDocument) {
	f.tasks[at.task].states[at.index] = after
	if before != states {
		f.byState[before]--
	}
	f.byState[after]++
	f.changed[at] = document
	if after == running {
		f.open[at] = document
	} else {
		delete(f.open, at)
	}
}

func (f *fold) document(at instance) taskDocument {
	return taskDocument{
		Version: documentVersion, Run: f.run.Run,
		Task: f.tasks[at.task].name, Instance: f.name(at),
	}
}

func (f *fold) name(at instance) string {
	t := &f.tasks[at.task]
	if t.multiplied {
		return expand.InstanceName(t.name, at.index)
	}
	return t.name
}

// end takes the end of an attempt.
func (t *taskDocument) end(rec *statelog.Record) {
	t.Attempts, t.Started, t.Ended = rec.Attempt, rec.Start.UTC(), rec.Time.UTC()
	t.Class, t.Reason, t.Result = rec.Class.String(), rec.Reason, rec.Result
	if rec.Result != nil && rec.Result.Node != "" {
		t.Node = rec.Result.Node
	}
	if rec.Delay > 0 {
		t.RetryAt = rec.Time.Add(rec.Delay).UTC()
	}
}

// summary returns the document of the run.
func (f *fold) summary() runDocument {
	run := f.run
	run.Counts = counts{
		Running: f.byState[running], Completed: f.byState[completed],
		Failed: f.byState[failed], Killed: f.byState[killed],
	}
	rest := run.Instances - f.byState[running] - f.byState[completed] -
		f.byState[failed] - f.byState[killed]
	if run.Closed.IsZero() {
		run.Counts.Waiting = rest
	} else {
		run.Counts.Skipped = rest
	}
	return run
}
