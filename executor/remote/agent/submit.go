package agent

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// A verdict is what becomes of a submission. If flight is not nil, it only holds
// if that succeeds.
type verdict struct {
	status  int
	problem *wire.Problem
	flight  *flight
	at      *attempt
}

func refused(status int, code, text string) verdict {
	return verdict{status: status, problem: &wire.Problem{Text: cut(text), Code: code}}
}

func refusedFor(status int, code, text string, after time.Duration) verdict {
	v := refused(status, code, text)
	v.problem.RetryAfter = after.Seconds()
	return v
}

// Pauses that are asked of those who were refused.
const (
	roomPause    = time.Second
	drainPause   = 10 * time.Second
	journalPause = retryTime
)

// submit takes a submission.
func (a *Agent) submit(sub *wire.Submission, by caller) verdict {
	seen := a.seen(sub.Key, by)
	if err := checkResources(sub.Job.Resources); err != nil {
		return refused(http.StatusUnprocessableEntity, wire.CodeInvalid, err.Error())
	}
	h, err := hashOf(a.salt, sub)
	if err != nil {
		return refused(http.StatusUnprocessableEntity, wire.CodeInvalid, err.Error())
	}
	if !seen {
		// Not under the lock: it is the executor's code.
		if err := a.executor.Validate(sub.Job); err != nil {
			return refused(http.StatusUnprocessableEntity, wire.CodeInvalid, err.Error())
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closing {
		return refusedFor(http.StatusServiceUnavailable, wire.CodeEnding, errEnding.Error(),
			journalPause)
	}
	at := a.attempts[sub.Key]
	switch {
	case a.used.Has(sub.Key):
		return closedKey("the key is closed, or its outcome was acknowledged")
	case by.stale(sub.Lease):
		return refusedFor(http.StatusTooManyRequests, wire.CodeStale,
			"the ticket is older than the lease: ask for a new one", 0)
	case at == nil:
		return a.claim(sub, h, by)
	case at.hash != h:
		return refused(http.StatusConflict, wire.CodeConflict,
			"the key was submitted with another body")
	case at.phase == notStarted:
		a.drop(at)
		return a.claim(sub, h, by)
	}
	return a.again(at, sub, by)
}

// seen reports whether a key is known, so that it is not about to be claimed. Whatever
// becomes of the submission, it renews.
func (a *Agent) seen(key string, by caller) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hear(by)
	return a.attempts[key] != nil || a.used.Has(key)
}

// checkResources keeps what is written down with a key small.
func checkResources(r dag.Resources) error {
	size := 0
	for name := range r {
		size += len(name) + 8
	}
	if size > wire.MaxInline {
		return errors.New("job.resources: there are too many")
	}
	return nil
}

func closedKey(text string) verdict {
	v := refused(http.StatusGone, wire.CodeClosed, text)
	v.problem.Lost = true
	return v
}

// claim takes a key that nobody has used. a.mu is held.
func (a *Agent) claim(sub *wire.Submission, h hash, by caller) verdict {
	if v := a.unable(); v.status != 0 {
		return v
	}
	if v := a.unkept(sub.Lease); v.status != 0 {
		return v
	}
	room, err := a.allocator.TryAllocate(sub.Job.Resources)
	if err != nil {
		return noRoom(err)
	}
	at := &attempt{
		key: strings.Clone(sub.Key), hash: h, resources: sub.Job.Resources,
		lease: sub.Lease, contact: by.heard, sub: sub, room: room,
	}
	s := a.session(by.session)
	s.contact = max(s.contact, by.heard)
	s.give(at)
	a.attempts[at.key] = at
	a.open++
	a.place(at) // who asked is answered, nobody else is told
	a.watchLease(at)
	a.watched(at)
	a.heard(s)
	if a.journal == nil {
		a.launch(at)
		return verdict{status: http.StatusCreated, at: at}
	}
	rec := claimRecord(at)
	at.claim = a.journal.add(waited, func(f *flight) {
		f.records = append(f.records, rec)
		f.claims = append(f.claims, at)
	})
	return verdict{status: http.StatusCreated, at: at, flight: at.claim}
}

// unable is why nothing new is taken, if that is so. a.mu is held.
func (a *Agent) unable() verdict {
	if a.draining {
		return refusedFor(http.StatusTooManyRequests, wire.CodeDraining,
			"the daemon drains: it takes nothing new", drainPause)
	}
	if a.open >= a.config.MaxOpen {
		return refusedFor(http.StatusTooManyRequests, wire.CodeNoRoom,
			fmt.Sprintf("%d attempts are open, and no more are taken", a.open), roomPause)
	}
	if a.journal == nil {
		return verdict{}
	}
	if err := a.journal.problem(); err != nil {
		return journalTrouble(err)
	}
	return verdict{}
}

func journalTrouble(err error) verdict {
	return refusedFor(http.StatusServiceUnavailable, wire.CodeJournal,
		"the journal cannot be written, so nothing new starts: "+err.Error(), journalPause)
}

func noRoom(err error) verdict {
	refusal, ok := errors.AsType[*capacity.RefusedError](err)
	switch {
	case ok && refusal.Never:
		return refused(http.StatusUnprocessableEntity, wire.CodeNever, err.Error())
	case ok:
		return refusedFor(http.StatusTooManyRequests, wire.CodeNoRoom, err.Error(), roomPause)
	}
	return refused(http.StatusUnprocessableEntity, wire.CodeInvalid, err.Error())
}

// again is for what was submitted before. a.mu is held.
func (a *Agent) again(at *attempt, sub *wire.Submission, by caller) verdict {
	if at.session.id != by.session && sub.Resumed {
		if v := at.lost(by.session); v.status != 0 {
			return v
		}
		a.takeOver(at, a.session(by.session))
		if sub.Lease == 0 {
			a.unwatched(at)
		}
		at.contact, at.lease = max(at.contact, by.heard), sub.Lease
		a.watchLease(at)
		a.watched(at)
		if a.journal != nil {
			a.journal.note(takenRecord(at))
		}
	} else if at.session.id == by.session {
		at.contact = max(at.contact, by.heard)
		a.watched(at)
		a.touch(at)
	}
	if at.session.id == by.session {
		at.session.contact = max(at.session.contact, by.heard)
		a.heard(at.session)
	}
	if at.open() && at.claim == nil && at.sub == nil && at.stopped == "" {
		// The daemon was another when it was submitted first. If the executor cannot
		// attach by the key alone, or knows nothing of it, this is what to run.
		sub.Resumed = true
		at.sub = sub
		if !at.live {
			a.launch(at)
		}
	}
	return verdict{status: http.StatusOK, at: at, flight: at.claim}
}

// landed is told of a flight that is on the disk, or has failed.
func (a *Agent) landed(f *flight) {
	var rooms []*capacity.Lease
	unkept := f.err
	if f.err == nil {
		unkept = a.syncLeases(f.claims)
	}
	a.mu.Lock()
	for _, at := range f.claims {
		switch {
		case a.attempts[at.key] != at:
		case f.err == nil && a.closing && at.stopped == "":
			at.claim = nil
			rooms = append(rooms, a.refuse(at, errEnding, journalPause))
		case f.err == nil && unkept != nil && at.lease > 0 && at.stopped == "":
			at.claim = nil
			rooms = append(rooms, a.refuse(at, unkept, keepPause))
		case f.err == nil:
			at.claim = nil
			a.launch(at)
		default:
			rooms = append(rooms, at.vacate())
			a.unwatched(at)
			a.drop(at)
			if at.stopped != "" {
				a.used.Add(at.key) // it was closed meanwhile, for good
			}
		}
	}
	a.rested()
	a.mu.Unlock()
	for _, room := range rooms {
		room.Release()
	}
	if f.err == nil {
		a.mayForget(f.over)
	}
}
