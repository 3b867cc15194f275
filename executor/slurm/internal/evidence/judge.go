package evidence

// A View is what is known of an attempt that has left no report.
type View struct {
	Claim Claim
	// Jobs were submitted for the attempt and are in the last good listing.
	Jobs []Job
	// Fresh: that listing was begun after the claim was read and after the last
	// submission had ended, so that who is not in it was not in the queue.
	Fresh bool
	// Gone: good listings have for the grace time shown nothing that runs or
	// may yet run.
	Gone bool
	// Unsure: it is not known whether any job was submitted.
	Unsure bool
}

// A Kind is what is to be done about an attempt.
type Kind uint8

// The kinds.
const (
	Wait    Kind = iota // nothing is known that changes anything
	Pending             // its job waits in the queue; Text says why
	Running             // its job has begun; Text says what it does beside running
	Closed              // an engine has the key: it never ran and never will
	Submit              // nothing was submitted, and nobody has the key
	Requeue             // its job was ended, and would start again: it is to be cancelled
	Unstart             // its job ended before it began: the key is to be closed
	Over                // its job ended without a report, with the Fate
	Missing             // its job is nowhere: accounting may know
)

// A Verdict is what a View amounts to.
type Verdict struct {
	Kind Kind
	// Job that it is about, if there is one.
	Job  Job
	Fate Fate
	Text string
}

// Judge says what to make of what is known.
func Judge(v View) Verdict {
	switch {
	case v.Claim.Engine:
		return Verdict{Kind: Closed}
	case !v.Claim.Free():
		return v.begun()
	}
	return v.notBegun()
}

// begun judges an attempt whose key a job has.
func (v *View) begun() Verdict {
	running := Verdict{Kind: Running, Job: Job{ID: v.Claim.ID, Node: v.Claim.Node}}
	j, listed := v.job(v.Claim.ID)
	if listed {
		running.Job = j
	}
	switch {
	case !v.Fresh:
		return running
	case !v.Claim.Known() && v.alive():
		return running
	case !listed && v.Gone:
		return Verdict{Kind: Missing, Job: running.Job}
	case !listed:
		return running
	}
	switch s := Lookup(j.State); s.Phase {
	case Waiting:
		return Verdict{Kind: Requeue, Job: j}
	case Ended:
		if v.Gone {
			return Verdict{Kind: Over, Job: j, Fate: s.Fate}
		}
		running.Text = "its job is " + j.State + " and its report has yet to be seen"
	case Active:
		if j.State != "RUNNING" {
			running.Text = "its job is " + j.State
		}
	case Unknown:
		running.Text = "its job is in the unknown state " + j.State
	}
	return running
}

// notBegun judges an attempt whose key nobody has.
func (v *View) notBegun() Verdict {
	if !v.Fresh {
		return Verdict{Kind: Wait}
	}
	var ended *Job
	for i, j := range v.Jobs {
		switch Lookup(j.State).Phase {
		case Waiting:
			return Verdict{Kind: Pending, Job: j, Text: pending(j)}
		case Active:
			return Verdict{Kind: Pending, Job: j, Text: "its job is " + j.State + " and starts"}
		case Unknown:
			return Verdict{
				Kind: Pending, Job: j,
				Text: "its job is in the unknown state " + j.State,
			}
		case Ended:
			ended = &v.Jobs[i]
		}
	}
	switch {
	case ended != nil:
		return Verdict{Kind: Unstart, Job: *ended, Fate: Lookup(ended.State).Fate}
	case v.Unsure:
		return Verdict{Kind: Submit}
	case v.Gone:
		return Verdict{Kind: Unstart, Fate: Broken}
	}
	return Verdict{Kind: Wait}
}

// pending says why a job waits, for people.
func pending(j Job) string {
	text := "its Slurm job " + j.ID + " is " + j.State
	if j.Reason != "" {
		text += ": " + j.Reason
	}
	switch j.Reason {
	case "JobHeldUser", "JobHeldAdmin", "launch failed requeued held":
		text += "; scontrol release " + j.ID + " lets it go on"
	}
	return text
}

func (v *View) job(id string) (Job, bool) {
	for _, j := range v.Jobs {
		if j.ID == id {
			return j, true
		}
	}
	return Job{}, false
}

// alive reports whether any job may run or start.
func (v *View) alive() bool { return Alive(v.Jobs) }

// Alive reports whether any of the jobs may run or start.
func Alive(jobs []Job) bool {
	for _, j := range jobs {
		if Lookup(j.State).Phase != Ended {
			return true
		}
	}
	return false
}

// An End says what to make of a report of an attempt that somebody ended.
type End uint8

// The ends.
const (
	NotYet   End = iota // what Slurm says of the job has to be awaited
	AsIs                // the report says all
	WasLost             // the cluster ended it
	WasTime             // Slurm ended it at its time limit
	WasSpace            // Slurm ended it for want of memory
	WasEnded            // somebody cancelled it
)

// JudgeEnd asks Slurm who has ended an attempt that was asked to stop, or was
// killed, and not by its engine.
func JudgeEnd(r Report, v View) (End, Job) {
	j, listed := v.job(r.ID)
	switch {
	case !v.Fresh, !listed && !v.Gone:
		return NotYet, j
	case !listed:
		return AsIs, j
	}
	switch s := Lookup(j.State); s.Phase {
	case Waiting:
		return WasLost, j
	case Ended:
		switch s.Fate {
		case Broken:
			return WasLost, j
		case OverTime:
			return WasTime, j
		case OverMemory:
			return WasSpace, j
		case Cancelled:
			return WasEnded, j
		case NoFate, Vanished:
		}
		return AsIs, j
	case Active, Unknown:
	}
	return NotYet, j
}
