package slurm

import (
	"errors"
	"fmt"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/slurm/internal/evidence"
)

// look reads who has the key and how it ended.
func (r *run) look() error {
	now := r.e.keeper.now()
	if !r.claim.Known() && !r.claim.Engine {
		claim, err := r.store.claim(r.a.Key)
		if err != nil {
			return err
		}
		if claim != r.claim {
			r.claim, r.claimed = claim, now
		}
	}
	if r.report == nil {
		report, ok, err := r.store.report(r.a.Key)
		if err != nil {
			return err
		}
		if ok {
			r.report, r.reported = &report, now
		}
	}
	return nil
}

// step looks at what there is and does what follows from it.
func (r *run) step() *outcome {
	if err := r.look(); err != nil {
		// The file server may come back. What is in the queue stays there.
		r.say(executor.Status{Reason: cannotRead(err)})
		return nil
	}
	p := r.e.keeper.picture(r.item)
	if r.report != nil {
		if !r.e.keeper.tells(r.asked) {
			return nil
		}
		return r.ended(p)
	}
	if p.failed != nil && r.claim.Free() {
		return r.failed(p.failed)
	}
	if r.stopping != nil {
		if o := r.stop(p); o != nil || r.stopping.closed {
			return o
		}
	}
	v := evidence.View{
		Claim: r.claim, Jobs: p.jobs, Gone: p.gone || p.quiet > 0 && r.killed(),
		Fresh:  p.listed > max(p.since, r.claimed),
		Unsure: p.stage == unsure,
	}
	if p.stage == queued || p.stage == submitting {
		v.Fresh = false
	}
	return r.act(evidence.Judge(v), p)
}

// failed closes the key of an attempt that cannot be submitted, unless something
// was submitted before.
func (r *run) failed(err error) *outcome {
	if _, again := errors.AsType[*executor.NotStartedError](err); again {
		return failure(err) // under the same key
	}
	shut, cerr := r.shut()
	switch {
	case cerr != nil:
		return failure(errors.Join(err, cerr))
	case shut:
		return failure(err)
	}
	r.poke()
	return nil
}

// act does what a verdict says.
func (r *run) act(v evidence.Verdict, p picture) *outcome {
	switch v.Kind {
	case evidence.Running:
		r.say(executor.Status{Running: true, Ref: v.Job.ID, Node: v.Job.Node, Reason: v.Text})
		r.copy()
		for _, id := range duplicates(p, r.claim) {
			r.e.keeper.scancel(id, false, func(error) {})
		}
	case evidence.Pending:
		r.say(executor.Status{Ref: v.Job.ID, Reason: v.Text})
	case evidence.Wait:
		if p.text != "" || len(p.jobs) > 0 {
			r.say(executor.Status{Ref: ref(p), Reason: p.text})
		}
	case evidence.Submit:
		if r.stopping == nil {
			r.e.keeper.resubmit(r.item)
		}
	case evidence.Closed:
		return failure(r.closed())
	case evidence.Requeue:
		r.e.keeper.scancel(v.Job.ID, false, func(error) {})
		return r.over(v, evidence.Broken, "was ended by Slurm and queued again")
	case evidence.Unstart:
		return r.unstart(v)
	case evidence.Over:
		return r.over(v, v.Fate, "left no report")
	case evidence.Missing:
		return r.missing(v)
	}
	return nil
}

func ref(p picture) string {
	if len(p.jobs) == 0 {
		return ""
	}
	return p.jobs[0].ID
}

// say reports a status, if it is another one.
func (r *run) say(s executor.Status) {
	if s.Ref == "" {
		s.Ref = r.said.Ref
	}
	if s.Node == "" {
		s.Node = r.said.Node
	}
	s.Running = s.Running || r.said.Running
	if s != r.said {
		r.said = s
		r.a.Report(s)
	}
}

// unstart closes the key of a job that ended before it began.
func (r *run) unstart(v evidence.Verdict) *outcome {
	shut, err := r.shut()
	if err != nil {
		r.say(executor.Status{Reason: "its key cannot be closed: " + err.Error()})
	}
	if !shut {
		return nil
	}
	jerr := &JobError{ID: v.Job.ID, State: v.Job.State, Text: "ended before it began"}
	switch v.Fate {
	case evidence.Cancelled, evidence.OverTime, evidence.OverMemory:
		return failure(jerr)
	case evidence.Vanished:
		// Its script found nothing that it could do.
		jerr.Text = fmt.Sprintf("did not begin on %s: is %s there the directory that it is here,"+
			" and may it be read and written?", v.Job.Node, r.store.dir)
	case evidence.NoFate, evidence.Broken:
	}
	if v.Job.ID == "" {
		jerr.Text = "is not in the queue any more and never began"
	}
	return failure(&executor.LostError{Err: jerr})
}

// over makes the outcome of a job that ended without a report.
func (r *run) over(v evidence.Verdict, fate evidence.Fate, text string) *outcome {
	r.say(executor.Status{Running: true, Ref: v.Job.ID, Node: v.Job.Node})
	jerr := &JobError{ID: v.Job.ID, State: v.Job.State, Text: text}
	if r.stopping != nil {
		return r.result(r.stoppedResult(v.Job))
	}
	why, err := r.store.stopped(r.a.Key)
	if err != nil {
		return failure(fmt.Errorf("slurm: %w", err))
	}
	switch {
	case why == stopLimit:
		fate = evidence.OverTime
	case why != "":
		jerr.Text = "was stopped by another engine"
		fate = evidence.Broken
	}
	r.copy()
	res := executor.Result{ExitCode: -1, Node: v.Job.Node, Message: jerr.Error()}
	switch fate {
	case evidence.OverTime:
		res.Cause = executor.CauseTime
		return r.result(res)
	case evidence.OverMemory:
		res.Cause = executor.CauseMemory
		return r.result(res)
	case evidence.Cancelled:
		return failure(jerr)
	case evidence.NoFate, evidence.Broken, evidence.Vanished:
	}
	return failure(&executor.LostError{Err: jerr})
}

// missing asks accounting, where there is one, what became of a job that is not
// in the queue any more.
func (r *run) missing(v evidence.Verdict) *outcome {
	j, known := r.e.keeper.inquire(r.item, r.claim.ID)
	if !known {
		return nil // it is asked after the next listing
	}
	s := evidence.Lookup(j.State)
	if s.Phase != evidence.Ended {
		// Accounting lags, or has none: the controller's word is the later one.
		return r.over(v, evidence.Broken, "is not in the queue any more and left no report")
	}
	v.Job.State = j.State
	return r.over(v, s.Fate, "left no report")
}
