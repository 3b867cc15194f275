package agent

import (
	"time"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
)

// A session is a client, for as long as it has attempts or streams here. It is
// guarded by Agent.mu.
type session struct {
	id      string
	contact time.Duration // when it renewed last, by the clock of leases
	noted   time.Duration // the contact that is in the journal
	told    time.Duration // and that the keeper knows
	// first and last of what it owns, by revision. Attempts that were taken over
	// by others are there as moved ones.
	first, last *attempt
	owned       int           // not counting moved ones
	own         dag.Resources // what its open attempts have leased
	streams     map[*stream]struct{}
	idleSince   time.Time // zero: it is not
}

// session returns the session of an ID. a.mu is held.
func (a *Agent) session(id string) *session {
	s := a.sessions[id]
	if s == nil {
		s = &session{id: id, own: dag.Resources{}, streams: map[*stream]struct{}{}}
		a.sessions[id] = s
	}
	return s
}

// give makes the session the owner of an attempt. a.mu is held.
func (s *session) give(at *attempt) {
	at.session = s
	s.owned++
	s.idleSince = time.Time{}
	s.count(at, 1)
}

// count notes that an attempt has a lease, or has it no more. a.mu is held.
func (s *session) count(at *attempt, sign int64) {
	if at.room == nil {
		return
	}
	if len(at.resources) == 0 {
		s.own[dag.Cores] += sign // C2
		return
	}
	for name, amount := range at.resources {
		s.own[name] += sign * amount
	}
}

// vacate takes the lease from an attempt. The caller releases it when it does not
// hold a.mu any more, since others are told of the room. a.mu is held.
func (at *attempt) vacate() *capacity.Lease {
	room := at.room
	at.session.count(at, -1)
	at.room = nil
	return room
}

// link puts an attempt behind all others, and unlink takes it out.
func (s *session) link(at *attempt) {
	at.prev, at.next = s.last, nil
	if s.last != nil {
		s.last.next = at
	} else {
		s.first = at
	}
	s.last = at
}

func (s *session) unlink(at *attempt) {
	if at.prev != nil {
		at.prev.next = at.next
	} else if s.first == at {
		s.first = at.next
	} else {
		return // it is not linked
	}
	if at.next != nil {
		at.next.prev = at.prev
	} else {
		s.last = at.prev
	}
	at.prev, at.next = nil, nil
}

// touch notes that something of an attempt is new, and tells those who want to
// know. a.mu is held.
func (a *Agent) touch(at *attempt) {
	a.place(at)
	at.session.wake()
	at.tell()
}

// touchLater is touch for what is told with something else, or in a moment.
func (a *Agent) touchLater(at *attempt) {
	a.place(at)
	for st := range at.session.streams {
		st.wakeLater()
	}
	at.tell()
}

// tell wakes those who wait for something new of an attempt. a.mu is held.
func (at *attempt) tell() {
	for _, c := range at.changed {
		close(c)
	}
	at.changed = nil
}

// place gives an attempt the newest revision. a.mu is held.
func (a *Agent) place(at *attempt) {
	a.rev++
	at.session.unlink(at)
	at.rev = a.rev
	at.session.link(at)
}

func (s *session) wake() {
	for st := range s.streams {
		st.wakeSoon()
	}
}

// takeOver makes another session the owner. The one before is told, and hears of
// the attempt no more. a.mu is held.
func (a *Agent) takeOver(at *attempt, by *session) {
	before := at.session
	before.unlink(at)
	before.owned--
	before.count(at, -1)
	a.rev++
	before.link(&attempt{key: at.key, session: before, phase: moved, rev: a.rev})
	before.wake()
	by.give(at)
	a.touch(at)
}

// drop takes an attempt away for good. a.mu is held.
func (a *Agent) drop(at *attempt) {
	delete(a.attempts, at.key)
	at.session.unlink(at)
	at.session.owned--
	at.rev = 0
	at.tell()
	a.retained -= at.kept
	at.kept = 0
	if at.open() {
		a.open--
	} else {
		a.ended--
	}
}

// clients forgets sessions that own nothing and have not been heard of for a
// while. a.mu is held.
func (a *Agent) clients(now time.Time) {
	const patience = 10 * time.Minute
	for id, s := range a.sessions {
		switch {
		case s.owned > 0 || len(s.streams) > 0:
			s.idleSince = time.Time{}
		case s.idleSince.IsZero():
			s.idleSince = now
		case now.Sub(s.idleSince) > patience:
			delete(a.sessions, id)
		}
	}
}
