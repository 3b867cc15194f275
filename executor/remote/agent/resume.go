package agent

import (
	"errors"
	"slices"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
	"github.com/daggy-go/daggy/statelog"
)

// restore takes over what a journal says.
func (a *Agent) restore(f *fold) {
	f.booted(a.boot)
	a.used = f.used
	var over []*attempt
	for _, key := range sortedKeys(f.entries) {
		at := f.entries[key]
		s := a.session(f.owners[key])
		s.contact = max(s.contact, f.renewed[s.id])
		if at.open() {
			at.room = a.allocator.Restore(a.config.Node, at.resources)
			a.open++
		}
		s.give(at)
		a.attempts[key] = at
		a.touch(at)
		if at.phase == ended {
			a.ended++
			over = append(over, at)
		}
	}
	// What ended first goes first.
	slices.SortStableFunc(over, func(x, y *attempt) int { return x.endedAt.Compare(y.endedAt) })
	for _, at := range over {
		a.keep(at)
	}
	a.mayForget(sortedKeys(f.owed))
}

// errDied is how attempts end that do not outlive the daemon, when it was killed.
var errDied = errors.New("agent: the daemon was killed while it ran")

// resume goes on with what was open when the daemon before ended.
func (a *Agent) resume() {
	var died []*attempt
	a.mu.Lock()
	for _, key := range sortedKeys(a.attempts) {
		at := a.attempts[key]
		switch {
		case !at.open() || at.live:
		case a.durable == nil:
			died = append(died, at)
		case a.keyAlone || at.stopped != "":
			a.launch(at)
		default:
			at.reason = "waits to be submitted again"
		}
		if at.open() {
			a.watchLease(at)
		}
	}
	a.mu.Unlock()
	for _, at := range died {
		a.over(at, executor.Result{}, &executor.LostError{Err: errDied})
	}
}

// liveRecords is how many records a snapshot has, about.
func (a *Agent) liveRecords() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.used.Spans()/512 + 2*len(a.attempts) + len(a.sessions)
}

// snapshotRecords are the records that make all that is known, if nothing else
// does.
func (a *Agent) snapshotRecords() []statelog.Record {
	owed := a.forgetter.keys()
	a.mu.Lock()
	defer a.mu.Unlock()
	var recs []statelog.Record
	// There is no error that this could return.
	_ = a.used.Parts(func(part []byte, keys []string) error {
		if part != nil {
			recs = append(recs, rangesRecord(part))
		}
		recs = appendUsed(recs, keys, false)
		return nil
	})
	recs = appendUsed(recs, slices.DeleteFunc(owed, func(key string) bool {
		return !a.used.Has(key)
	}), true)
	for _, key := range sortedKeys(a.attempts) {
		recs = appendSnapshot(recs, a.attempts[key])
	}
	for _, id := range sortedKeys(a.sessions) {
		if s := a.sessions[id]; s.owned > 0 && s.contact > 0 {
			recs = append(recs, renewalRecord(s))
		}
	}
	return append(recs, startRecord(a.start, a.boot))
}

// appendSnapshot appends what makes an attempt. One whose claim is on its way is
// not there: it comes with that.
func appendSnapshot(recs []statelog.Record, at *attempt) []statelog.Record {
	if at.claim != nil || at.phase == notStarted || at.phase == moved {
		return recs
	}
	recs = append(recs, claimRecord(at))
	switch {
	case at.phase == ended:
		recs = append(recs, endedRecord(at))
	case at.stopped != "":
		recs = append(recs, stoppedRecord(at.key, at.stopped, at.closer, at.late))
	}
	return recs
}

// known reports what is known of a key. a.mu is held.
func (a *Agent) known(key string) (wire.State, bool) {
	if at := a.attempts[key]; at != nil {
		return at.state(), true
	}
	if a.used.Has(key) {
		return wire.State{Key: key, State: wire.Closed}, true
	}
	return wire.State{}, false
}
