package remote

import (
	"context"
	"net/http"
	"time"

	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// giveUp ends what can be called lost while the node is away (E3). It returns when
// to look again.
func (n *node) giveUp(now time.Time) time.Duration {
	wait := idle
	lostAt, bounded := n.lostAt()
	if n.up && (!bounded || lostAt.After(now)) {
		return wait // it is there, or has not been silent for long
	}
	for _, e := range n.entries {
		at, why := lostAt, "its lease is over, and the node could not be reached"
		switch {
		case e.over || e.foreign:
			continue
		case e.unsent() && !e.closing && n.up:
			continue
		case e.unsent() && !e.closing:
			at = later(n.since, e.born).Add(unsentPatience)
			why = "never sent, because it could not be reached: " + n.why
		case !bounded || !e.mine && e.resume:
			continue // somebody else may have renewed it
		}
		if at.After(now) {
			wait = min(wait, at.Sub(now))
			continue
		}
		n.lose(e, why)
	}
	return wait
}

// lostAt is when nothing that this executor ever sent can run on the node any more,
// if such a time is known. Tickets see to that, see PROTOCOL.md.
func (n *node) lostAt() (time.Time, bool) {
	if n.config.OnUnreachable != Replace || !n.health.LeaseHolds || n.endpoint == nil {
		return time.Time{}, false
	}
	heard := n.endpoint.lastHeard()
	stop, known := n.health.StopTime()
	if heard.IsZero() || !known {
		return time.Time{}, false
	}
	lease := n.config.Lease
	return heard.Add(lease + lease/10 + stop + n.config.Margin), true
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// renewEvery is how long after a renewal the next is due. A lease counts from the ticket
// that comes with it, which is that of the one before, and one that is lost takes as long
// again: half a lease is over then.
func (e *Executor) renewEvery() time.Duration { return e.config.Lease / 6 }

// keepAlive renews leases, whatever the sender waits for.
func (n *node) keepAlive(ctx context.Context, p *endpoint) {
	timer := time.NewTimer(n.renewEvery())
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		due, journal, wait := n.renewal(time.Now())
		if due {
			if err := n.renew(ctx, peer{p, journal}); ctx.Err() == nil {
				n.finished(definite(err))
			}
			wait = 0 // it took a while
		}
		timer.Reset(wait)
	}
}

// renewal reports whether leases are to be renewed now and by whom, and when to look
// again.
func (n *node) renewal(now time.Time) (due bool, journal string, wait time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	next := later(n.renewAt, n.retryAt)
	switch {
	case !n.up || len(n.entries) == 0 && !n.detached:
		next = now.Add(n.renewEvery())
	case !next.After(now):
		due = true
		next = now.Add(n.renewEvery())
		n.renewAt = next
	}
	return due, n.health.Journal, next.Sub(now)
}

// renew renews the leases of all attempts at once.
func (n *node) renew(ctx context.Context, p peer) error {
	// The next is due after as long.
	ctx, cancel := context.WithTimeout(ctx, max(time.Second, n.renewEvery()))
	defer cancel()
	return p.fetch(ctx, request{
		method: http.MethodPost, path: wire.PathRenew, body: []byte("{}"),
	}, nil)
}
