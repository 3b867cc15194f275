package agent

import (
	"log/slog"
	"time"

	"github.com/daggy-go/daggy/internal/boot"
)

// leases are looked after by one goroutine with one timer.
type leases struct {
	wake chan struct{} // has room for one
	// next is when the earliest lease may be over, by the clock of leases. 0: there
	// is none. Guarded by Agent.mu.
	next time.Duration
}

// deadline is when the lease of an attempt is over, 0: never. a.mu is held.
func (at *attempt) deadline() time.Duration {
	if at.lease <= 0 {
		return 0
	}
	heard := max(at.contact, at.session.contact)
	if at.lease > time.Duration(1<<63-1)-heard {
		return 0
	}
	return heard + at.lease
}

// watchLease sees to it that the end of the lease is not missed. a.mu is held.
func (a *Agent) watchLease(at *attempt) {
	end := at.deadline()
	if end == 0 || a.leases.next != 0 && a.leases.next <= end {
		return
	}
	a.leases.next = end
	select {
	case a.leases.wake <- struct{}{}:
	default:
	}
}

// longestPause is short, as a timer stands still while the machine sleeps and leases do
// not.
const longestPause = time.Minute

// keepLeases stops what has not been heard of for too long. It looks only when the
// earliest lease that it knew may be over; renewals meanwhile cost nothing.
func (a *Agent) keepLeases() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-a.leases.wake:
		case <-timer.C:
		case <-a.ending:
			return
		}
		next := a.checkLeases(boot.Since())
		pause := longestPause
		if next > 0 {
			pause = min(pause, max(0, next-boot.Since()))
		}
		timer.Reset(pause)
	}
}

// checkLeases stops what is over now, and returns when to look again, 0: not
// before there is another lease.
func (a *Agent) checkLeases(now time.Duration) time.Duration {
	var ends []func()
	var next time.Duration
	a.mu.Lock()
	for _, at := range a.attempts {
		end := at.deadline()
		switch {
		case end == 0, !at.open(), at.stopped != "":
		case end <= now:
			a.logger.Warn("a lease is over, its attempt is stopped",
				slog.String("key", at.key), slog.String("session", at.session.id))
			if f := a.halt(at, stopping{why: stoppedLease}); f != nil {
				ends = append(ends, f)
			}
		case next == 0 || end < next:
			next = end
		}
	}
	a.leases.next = next
	a.mu.Unlock()
	for _, end := range ends {
		end()
	}
	return next
}

// renew renews the leases of a session, and returns those of the keys that it does
// not own here.
func (a *Agent) renew(by caller, keys []string) (missing []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hear(by)
	for _, key := range keys {
		if at := a.attempts[key]; at == nil || at.session.id != by.session {
			missing = append(missing, key)
		}
	}
	return missing
}

// hear renews the leases of a session. They are never shortened. a.mu is held.
func (a *Agent) hear(by caller) {
	s := a.sessions[by.session]
	if s == nil {
		return // it owns nothing
	}
	s.contact = max(s.contact, by.heard)
	a.heard(s)
	// For the daemon after this one. To write less often than it is renewed only
	// makes leases end earlier then.
	const often = time.Second
	if a.journal != nil && s.owned > 0 && s.contact-s.noted > often {
		s.noted = s.contact
		a.journal.note(renewalRecord(s))
	}
}
