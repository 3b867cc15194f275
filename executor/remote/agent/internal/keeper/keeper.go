// Package keeper ends attempts at the end of their leases when the daemon that should
// is dead or stands still.
//
// A client that cannot reach a daemon takes attempts for lost when their leases are
// over, and runs them elsewhere. A daemon that is alive stops them by then. One that
// was killed does not, nor does one that got SIGSTOP, while the supervisor of package
// fork lets the commands go on. So each daemon has a keeper: a process of its own, in a
// session of its own, that is told of every lease before the attempt starts, and of
// every renewal, through a pipe. It asks the supervisor to stop what is over.
//
//	k, err := keeper.Start(dir, grace)
//	…
//	k.Watch(key, session, lease, contact)
//	err = k.Sync()           // before the attempt starts
//	k.Hear(session, contact) // a renewal
//	k.Done(key)              // it is over
//
// The keeper is this very program, started again, like the supervisor. It goes on when
// the daemon is gone, until nothing is left that has a lease or the keeper of the
// next daemon takes over. All times are since the machine was booted, which is a clock
// that goes on while the machine sleeps.
//
// There are two ways around it. Who kills the keeper, the daemon and the supervisor at
// once leaves nobody to stop commands. And a renewal that a daemon has taken and not
// handed on when it was killed is lost with it, which ends attempts earlier, not later.
package keeper

import (
	"math"
	"time"
)

// Slack is how long after the end of a lease the keeper acts: the daemon, if it is
// there, has done so by then.
const Slack = time.Second

// A lease is what the keeper knows of an attempt.
type lease struct {
	session string
	length  time.Duration
	contact time.Duration // of the attempt alone
	ending  bool
}

// book is what the keeper knows. It has no clock.
type book struct {
	leases   map[string]*lease
	sessions map[string]time.Duration // when they were heard of last
}

func newBook() *book {
	return &book{leases: map[string]*lease{}, sessions: map[string]time.Duration{}}
}

func (b *book) watch(key string, l lease) { b.leases[key] = &l }

func (b *book) hear(session string, contact time.Duration) {
	b.sessions[session] = max(b.sessions[session], contact)
}

func (b *book) done(key string) { delete(b.leases, key) }

// over returns what is over now, each once, and when the next is. 0: none is.
func (b *book) over(now time.Duration) (keys []string, next time.Duration) {
	for key, l := range b.leases {
		if l.ending {
			continue
		}
		heard := max(l.contact, b.sessions[l.session])
		if l.length > time.Duration(math.MaxInt64)-Slack-heard {
			continue // for ever
		}
		end := heard + l.length + Slack
		if end <= now {
			l.ending = true
			keys = append(keys, key)
		} else if next == 0 || end < next {
			next = end
		}
	}
	return keys, next
}
