package agent

import "net/http"

// A stopping says why an attempt is stopped.
type stopping struct {
	why     string // as in wire.Outcome
	session string // whose wish it is
	late    bool   // for its time limit
}

// mark notes that an attempt is to be stopped. a.mu is held.
func (a *Agent) mark(at *attempt, s stopping) {
	at.stopped, at.closer, at.late = s.why, s.session, s.late
	a.touch(at)
	if a.journal != nil {
		rec := stoppedRecord(at.key, s.why, s.session, s.late)
		a.journal.add(soon, func(f *flight) { f.records = append(f.records, rec) })
	}
}

// halt stops an attempt that is open, if nobody did before. a.mu is held. What it
// returns ends the context of the call; nil: there is none.
func (a *Agent) halt(at *attempt, s stopping) (end func()) {
	if at.stopped == "" {
		a.mark(at, s)
	}
	switch {
	case at.phase == claiming:
		return nil // landed sees it
	case !at.live:
		// Nobody is at it: the key is closed by a call whose context has ended.
		a.launch(at)
		return nil
	}
	stop, cause := at.stop, at.cause()
	return func() { stop(cause) }
}

// close closes a key (E5). If the verdict has no attempt, no more than that is
// known of the key.
func (a *Agent) close(key, session string, late bool) verdict {
	a.mu.Lock()
	at := a.attempts[key]
	switch {
	case a.used.Has(key):
		a.mu.Unlock()
		// What makes it so may be on its way to the disk.
		return verdict{status: http.StatusOK, flight: a.settled()}
	case at == nil || at.phase == notStarted:
		defer a.mu.Unlock()
		return a.closeUnused(key, at, session)
	case !at.open():
		a.mu.Unlock()
		return verdict{status: http.StatusOK, at: at}
	}
	end := a.halt(at, stopping{why: stoppedClosed, session: session, late: late})
	v := verdict{status: http.StatusAccepted, at: at}
	if at.phase == claiming {
		v.flight = a.settled() // without its claim the key is like one never seen
	}
	a.mu.Unlock()
	if end != nil {
		end()
	}
	return v
}

// settled is a flight that is durable when everything before it is. Nil: there is no
// journal.
func (a *Agent) settled() *flight {
	if a.journal == nil {
		return nil
	}
	return a.journal.add(waited, func(*flight) {})
}

// closeUnused leaves a tombstone. a.mu is held.
func (a *Agent) closeUnused(key string, at *attempt, session string) verdict {
	v := verdict{status: http.StatusOK}
	if a.journal != nil {
		if err := a.journal.problem(); err != nil {
			return journalTrouble(err)
		}
		rec := stoppedRecord(key, stoppedClosed, session, false)
		v.flight = a.journal.add(waited, func(f *flight) { f.records = append(f.records, rec) })
	}
	if at != nil {
		a.drop(at)
	}
	a.used.Add(key)
	return v
}

// acknowledge drops what is known of keys, except that they were used. It returns
// those that are open, and what to wait for if some were not known.
func (a *Agent) acknowledge(keys []string) (open []string, wait *flight) {
	var files []string // of which nobody may ask any more
	var done []string
	unknown := false
	a.mu.Lock()
	for _, key := range keys {
		at := a.attempts[key]
		switch {
		case at != nil && at.open():
			open = append(open, key)
			continue
		case at != nil:
			files = append(files, at.files()...)
			a.drop(at)
		case a.used.Has(key):
			continue
		default:
			unknown = true
		}
		a.used.Add(key)
		done = append(done, key)
	}
	if a.journal != nil && len(done) > 0 {
		if unknown {
			wait = a.noteUsed(done, waited)
		} else {
			a.noteUsed(done, lazy)
		}
	}
	a.mu.Unlock()
	a.removeFiles(files)
	return open, wait
}

// noteUsed has it written that keys are used.
func (a *Agent) noteUsed(keys []string, u urgency) *flight {
	return a.journal.add(u, func(f *flight) {
		f.records = appendUsed(f.records, keys, false)
	})
}

// lost is what a session is told that has to take the attempt for lost, because somebody
// else stopped it (E5). Zero: it need not. a.mu is held.
func (at *attempt) lost(session string) verdict {
	if at.phase != ended || at.stopped == "" || at.late || at.closer == session {
		return verdict{}
	}
	if at.outcome.Failure == nil && at.outcome.Result.OK() {
		return verdict{}
	}
	return closedKey("it was stopped: " + at.stopped)
}
