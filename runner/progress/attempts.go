package progress

import (
	"hash/maphash"
	"maps"
	"slices"
	"time"

	"github.com/daggy-go/daggy/runner"
)

// Sizes of what is remembered of running attempts.
const (
	recentSlots = 1024
	maxLong     = 1 << 16
)

// attempts are those that run. Most of a million that take a microsecond each
// come and go in a slot of recent, which is several times cheaper than a map:
// into that go only those in whose slot another one has started.
type attempts struct {
	seed   maphash.Seed
	recent []attempt // by hash of the name; free if run is nil
	long   map[attemptKey]attempt
}

// An attemptKey names an attempt: an instance has one at a time.
type attemptKey struct {
	run      *runner.Handle
	instance string
}

type attempt struct {
	attemptKey
	number  int
	since   time.Time
	started bool // as its executor said
}

func newAttempts() attempts {
	return attempts{
		seed:   maphash.MakeSeed(),
		recent: make([]attempt, recentSlots),
		long:   map[attemptKey]attempt{},
	}
}

func (l *attempts) slot(key attemptKey) *attempt {
	return &l.recent[maphash.String(l.seed, key.instance)%recentSlots]
}

// add notes the start of an attempt. Beyond maxLong, which is more than run on
// anything that is not a simulation, attempts are forgotten.
func (l *attempts) add(key attemptKey, number int, since time.Time) {
	s := l.slot(key)
	if s.run != nil && s.attemptKey != key && len(l.long) < maxLong {
		l.long[s.attemptKey] = *s
	}
	*s = attempt{attemptKey: key, number: number, since: since}
}

// started notes that an attempt, which may have waited for it, runs now. It
// counts once: executors report more than that.
func (l *attempts) started(key attemptKey, since time.Time) {
	if s := l.slot(key); s.attemptKey == key {
		s.start(since)
		return
	}
	if a, ok := l.long[key]; ok {
		a.start(since)
		l.long[key] = a
	}
}

func (a *attempt) start(since time.Time) {
	if !a.started {
		a.started, a.since = true, since
	}
}

func (l *attempts) remove(key attemptKey) {
	if s := l.slot(key); s.attemptKey == key {
		*s = attempt{}
		return
	}
	delete(l.long, key)
}

// removeAll removes what an ended run has left: attempts that were detached, or
// whose executors did not return.
func (l *attempts) removeAll(h *runner.Handle) {
	for i := range l.recent {
		if l.recent[i].run == h {
			l.recent[i] = attempt{}
		}
	}
	maps.DeleteFunc(l.long, func(key attemptKey, _ attempt) bool { return key.run == h })
}

// longest returns the n attempts that have run longest, the longest first. Of
// those that started at the same time the one with the lesser name is first.
func (l *attempts) longest(n int) []attempt {
	list := make([]attempt, 0, n+1)
	consider := func(a *attempt) {
		if a.run == nil || n == 0 || len(list) == n && !a.before(&list[n-1]) {
			return
		}
		i, _ := slices.BinarySearchFunc(list, a, func(e attempt, a *attempt) int {
			if e.before(a) {
				return -1
			}
			return 1
		})
		list = slices.Insert(list, i, *a)
		list = list[:min(len(list), n)]
	}
	for i := range l.recent {
		consider(&l.recent[i])
	}
	for _, a := range l.long {
		consider(&a)
	}
	return list
}

func (a *attempt) before(b *attempt) bool {
	if c := a.since.Compare(b.since); c != 0 {
		return c < 0
	}
	return a.instance < b.instance
}
