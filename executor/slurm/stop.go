package slurm

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/slurm/internal/evidence"
)

// stopping is how far the stopping of an attempt is.
type stopping struct {
	cause error
	// closed: the engine has the key, so that it never starts. Tries counts the
	// attempts to take its job out of the queue.
	closed bool
	tries  int
	noted  bool        // the file that says so is written
	busy   atomic.Bool // scancel has it
	ok     atomic.Bool // scancel has done it
	failed atomic.Value
	asked  time.Time // when it was first asked to stop. Zero: not yet
	killed bool      // Slurm was asked to end the script itself
}

const (
	// maxTries is how often it is tried to take a job out of the queue that would
	// do nothing if it started.
	maxTries = 3
	// killAfter is how long after the grace time the script of the job may take to
	// end its command, before Slurm is asked to end the script.
	killAfter = 15 * time.Second
)

// stop does what can be done now to end an attempt. Whether its key is taken by
// the engine or by its job decides everything.
func (r *run) stop(p picture) *outcome {
	s := r.stopping
	if r.claim.Free() {
		shut, err := r.shut()
		if err != nil {
			r.say(executor.Status{Reason: "its key cannot be closed: " + err.Error()})
			return nil
		}
		s.closed = shut
	}
	if s.closed {
		return r.unqueue(p)
	}
	if r.claim.Engine {
		return failure(r.closed())
	}
	r.askToStop(p)
	return nil
}

// unqueue takes jobs out of the queue that would do nothing.
func (r *run) unqueue(p picture) *outcome {
	s := r.stopping
	over := func(text string) *outcome {
		return failure(fmt.Errorf("slurm: not started: %w%s", s.cause, text))
	}
	switch {
	case p.stage == queued, s.ok.Load():
		return over("")
	case p.stage == submitting, s.busy.Load():
		return nil // until that is over
	case p.stage == unsure && p.listed <= p.since && s.tries < maxTries:
		s.tries++ // a listing says whether there is anything to cancel
		return nil
	case !evidence.Alive(p.jobs):
		return over("")
	case s.tries >= maxTries:
		text, _ := s.failed.Load().(string)
		return over("; its job " + ref(p) + " is left in the queue and will do nothing: " + text)
	}
	s.tries++
	for _, j := range p.jobs {
		if evidence.Lookup(j.State).Phase != evidence.Ended {
			r.scancel(j.ID, false)
		}
	}
	return nil
}

// askToStop asks the script of the job to stop its command, and later Slurm to
// end the script.
func (r *run) askToStop(p picture) {
	s := r.stopping
	if !s.noted {
		why := stopAsked
		if errors.Is(s.cause, executor.ErrTimeLimit) {
			why = stopLimit
		}
		if err := r.store.stop(r.a.Key, why); err != nil {
			r.say(executor.Status{Reason: "that it is stopped cannot be noted: " + err.Error()})
			return
		}
		s.noted = true
	}
	if !listed(p.jobs, r.claim.ID) || s.busy.Load() {
		return // another may have the ID by now
	}
	switch {
	case s.ok.Load() && s.asked.IsZero():
		s.asked = time.Now()
	case !s.ok.Load():
		r.scancel(r.claim.ID, true)
	case time.Since(s.asked) > r.e.config.Grace+killAfter:
		s.killed = true
		r.scancel(r.claim.ID, false)
	}
}

// listed reports whether a job of this ID is one of ours that may run.
func listed(jobs []evidence.Job, id string) bool {
	return slices.ContainsFunc(jobs, func(j evidence.Job) bool {
		return j.ID == id && evidence.Lookup(j.State).Phase != evidence.Ended
	})
}

// killed reports whether no report is to be expected any more.
func (r *run) killed() bool { return r.stopping != nil && r.stopping.killed }

func (r *run) scancel(id string, ask bool) {
	s := r.stopping
	s.busy.Store(true)
	r.e.keeper.scancel(id, ask, func(err error) {
		if err != nil {
			s.failed.Store(oneLine(err.Error()))
		} else {
			s.ok.Store(true)
		}
		s.busy.Store(false)
		r.poke()
	})
}
