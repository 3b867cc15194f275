package slurm

import (
	"errors"
	"fmt"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/slurm/internal/evidence"
)

// ended makes the outcome of an attempt whose job left a report.
func (r *run) ended(p picture) *outcome {
	rep := r.report
	r.say(executor.Status{Running: true, Ref: rep.ID, Node: rep.Node})
	job := &JobError{ID: rep.ID}
	switch rep.How {
	case evidence.Requeued:
		job.Text = "was ended by Slurm and started again"
		return failure(&executor.LostError{Err: job})
	case evidence.NoDir:
		job.Text = fmt.Sprintf("cannot enter its working directory %s on %s",
			r.e.workDir(r.a.Job), rep.Node)
		return failure(job)
	case evidence.NoOutput:
		wanted := &r.out
		if wanted.w == nil {
			wanted = &r.err
		}
		job.Text = fmt.Sprintf("cannot make its output file %s on %s", r.file(wanted), rep.Node)
		return failure(job)
	case evidence.Itself, evidence.Stopped, evidence.Limit:
	}
	res := rep.Result()
	if !res.OK() {
		wait, err := r.blame(&res, p)
		if wait {
			return nil
		}
		if err != nil {
			return failure(err)
		}
	}
	return r.deliver(res)
}

// blame finds out who has ended an attempt that did not succeed. Wait: Slurm
// has to be asked first.
func (r *run) blame(res *executor.Result, p picture) (wait bool, err error) {
	rep := r.report
	if rep.How == evidence.Limit || rep.Memory {
		return false, nil
	}
	if r.stopping != nil && rep.How == evidence.Stopped {
		if errors.Is(r.stopping.cause, executor.ErrTimeLimit) {
			res.Cause = executor.CauseTime
		}
		return false, nil
	}
	if rep.How == evidence.Itself && !rep.Killed() {
		return false, nil
	}
	why, err := r.store.stopped(rep.Key)
	switch {
	case err != nil:
		return false, fmt.Errorf("slurm: %w", err)
	case why == stopLimit:
		res.Cause = executor.CauseTime
		return false, nil
	case why != "" && rep.How == evidence.Stopped:
		return false, &executor.LostError{Err: &JobError{
			ID: rep.ID, Text: "was stopped by another engine",
		}}
	}
	v := evidence.View{Jobs: p.jobs, Fresh: p.listed > max(p.since, r.reported), Gone: p.gone}
	end, job := evidence.JudgeEnd(*rep, v)
	jerr := &JobError{ID: rep.ID, State: job.State, Text: "was ended by Slurm"}
	switch end {
	case evidence.NotYet:
		return r.stopping == nil, nil
	case evidence.WasLost:
		if evidence.Lookup(job.State).Phase == evidence.Waiting {
			r.e.keeper.scancel(job.ID, false, func(error) {})
		}
		return false, &executor.LostError{Err: jerr}
	case evidence.WasTime:
		res.Cause = executor.CauseTime
	case evidence.WasSpace:
		res.Cause = executor.CauseMemory
	case evidence.WasEnded:
		jerr.Text = "was cancelled in Slurm"
	case evidence.AsIs:
		return false, nil
	}
	res.Message = jerr.Error()
	return false, nil
}

// deliver hands over what is left of the output.
func (r *run) deliver(res executor.Result) *outcome {
	r.copy()
	for _, s := range []*stream{&r.out, &r.err} {
		switch {
		case s.broken != nil && res.OK():
			return failure(fmt.Errorf("slurm: output: %w", s.broken))
		case s.unread != nil && res.Message == "":
			res.Message = fmt.Sprintf("output that cannot be read here: it is in %s on %s: %v",
				r.file(s), r.report.Node, s.unread)
		}
	}
	return r.result(res)
}

// result completes a result.
func (r *run) result(res executor.Result) *outcome {
	res.Unenforced = r.e.keeper.unenforced(r.asked)
	return &outcome{res: res}
}

// stoppedResult is the outcome of what was killed, so that it could not report.
func (r *run) stoppedResult(j evidence.Job) executor.Result {
	r.copy()
	res := executor.Result{ExitCode: -1, Signal: "SIGKILL", Node: j.Node}
	if errors.Is(r.stopping.cause, executor.ErrTimeLimit) {
		res.Cause = executor.CauseTime
	}
	return res
}
