package progress

import (
	"time"

	"github.com/daggy-go/daggy/runner"
)

// attempts are those that run, the longest first. Everything that is done for
// each attempt takes constant time and, in the long run, no memory.
type attempts struct {
	byKey       map[attemptKey]*attempt
	first, last *attempt
	spare       *attempt // linked by next
}

// An attemptKey names an attempt: an instance has one at a time.
type attemptKey struct {
	run      *runner.Handle
	instance string
}

type attempt struct {
	key        attemptKey
	number     int
	since      time.Time
	started    bool // as its executor said
	prev, next *attempt
}

func newAttempts() attempts { return attempts{byKey: map[attemptKey]*attempt{}} }

func (l *attempts) add(key attemptKey, number int, since time.Time) {
	if l.byKey[key] != nil {
		return // already told
	}
	a := l.spare
	if a == nil {
		a = new(attempt)
	} else {
		l.spare = a.next
	}
	*a = attempt{key: key, number: number, since: since}
	l.byKey[key] = a
	l.append(a)
}

// started notes that an attempt, which may have waited for it, runs now. It
// counts once: executors report more than that.
func (l *attempts) started(key attemptKey, since time.Time) {
	a := l.byKey[key]
	if a == nil || a.started {
		return
	}
	l.unlink(a)
	a.started, a.since = true, since
	l.append(a)
}

func (l *attempts) remove(key attemptKey) {
	a := l.byKey[key]
	if a == nil {
		return
	}
	delete(l.byKey, key)
	l.unlink(a)
	*a = attempt{next: l.spare}
	l.spare = a
}

// removeAll removes what an ended run has left: attempts that were detached, or
// whose executors did not return.
func (l *attempts) removeAll(h *runner.Handle) {
	for a := l.first; a != nil; {
		next := a.next
		if a.key.run == h {
			l.remove(a.key)
		}
		a = next
	}
}

func (l *attempts) append(a *attempt) {
	a.prev, a.next = l.last, nil
	if l.last == nil {
		l.first = a
	} else {
		l.last.next = a
	}
	l.last = a
}

func (l *attempts) unlink(a *attempt) {
	if a.prev == nil {
		l.first = a.next
	} else {
		a.prev.next = a.next
	}
	if a.next == nil {
		l.last = a.prev
	} else {
		a.next.prev = a.prev
	}
}
