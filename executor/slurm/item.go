package slurm

import (
	"slices"
	"time"

	"github.com/daggy-go/daggy/executor/slurm/internal/evidence"
)

// A jobName is what a job of ours is known by in the queue: names are unique for
// ever, while ids are used again when a controller has lost its memory.
type jobName struct {
	name  string
	index int // in an array. -1: it is none
}

// A stage is how far the submission of an item is.
type stage uint8

const (
	unsure     stage = iota // it may have been submitted: the queue has to be asked
	queued                  // it waits here to be submitted
	submitting              // sbatch has it
	submitted               // Slurm has it
)

// An item is a key that calls of Run are about, as the keeper sees it. The fields
// below group are guarded by keeper.mu. Spec, args and group are of no use, and let
// go, once Slurm has its job.
type item struct {
	key   string
	store *store
	spec  *spec
	args  []string // of sbatch
	// group is what items have in common that may be in one array.
	group string

	watchers []*run // one for each call of Run
	stage    stage
	arrived  time.Time // here, to be submitted
	names    []jobName // of all jobs that were submitted for it
	// since is the last listing that was begun when something changed which it
	// may not have shown.
	since  uint64
	listed uint64         // the last good listing
	jobs   []evidence.Job // of that listing
	next   []evidence.Job // of the one that is read
	// quiet counts the good listings in a row without a job that may run or start,
	// the first of which was at quietSince.
	quiet      int
	quietSince time.Time
	inquiry    inquiry
	account    []evidence.Job // what accounting has of it
	failed     error          // it cannot be submitted
	text       string         // why it waits here
}

// A picture is what an item was like at one time.
type picture struct {
	stage  stage
	jobs   []evidence.Job
	since  uint64
	listed uint64
	quiet  int
	gone   bool
	failed error
	text   string
}

// wake lets the calls of Run look again.
func (it *item) wake() {
	for _, r := range it.watchers {
		r.poke()
	}
}

// name is the last one that it was submitted under.
func (it *item) name() jobName { return it.names[len(it.names)-1] }

// take adopts what a listing had of the item. It reports whether the calls of
// Run should look.
func (it *item) take(listing uint64, whole bool, now time.Time) bool {
	if !whole && len(it.next) == 0 {
		return false // it may be in what could not be read
	}
	changed := !slices.Equal(it.jobs, it.next)
	if changed {
		it.jobs = it.next
	} // Else the texts that are there are those that calls of Run have too.
	it.next = nil
	changed = changed || it.listed <= it.since
	it.listed = listing
	if listing <= it.since {
		return changed
	}
	if evidence.Alive(it.jobs) {
		it.quiet = 0
		return changed || running(it.jobs)
	}
	if it.quiet == 0 {
		it.quietSince = now
	}
	it.quiet++
	return true
}

// running reports whether there may be new output.
func running(jobs []evidence.Job) bool {
	for _, j := range jobs {
		if evidence.Lookup(j.State).Phase == evidence.Active {
			return true
		}
	}
	return false
}
