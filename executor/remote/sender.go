package remote

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"time"

	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

const (
	// requestPatience is how long the answer to a request may take.
	requestPatience = 15 * time.Second
	// minRetry is the least to wait before the same is asked again.
	minRetry = 100 * time.Millisecond
	// pollEvery is how often is asked for what no stream tells.
	pollEvery = 200 * time.Millisecond
	// unsentPatience is how long an attempt that was never sent waits for its node
	// to come back.
	unsentPatience = 10 * time.Second
	// idle is how long the sender sleeps when there is nothing to do.
	idle = time.Hour
)

// A task is what the sender is to do next: one request, as a rule, and of that daemon.
type task func(ctx context.Context, p peer)

// send makes the requests of a node, one after the other. What gathers while one is
// under way goes into the next.
func (n *node) send(ctx context.Context, p *endpoint) {
	defer p.close()
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for {
		do, journal, wait := n.next(ctx)
		if do != nil {
			if do(ctx, peer{p, journal}); ctx.Err() != nil {
				return
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-n.kick:
			// What others are about to add had better be in the same request.
			runtime.Gosched()
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// definite drops errors that are answers: the daemon is there.
func definite(err error) error {
	e, ok := errors.AsType[*statusError](err)
	if ok && e.definite() && e.Status < 500 && e.Status != http.StatusUnauthorized &&
		e.Status != http.StatusForbidden && !e.elsewhere() {
		return nil
	}
	return err
}

// next returns what to do now and the journal of the daemon that it is for, or how long
// to wait.
func (n *node) next(ctx context.Context) (do task, journal string, wait time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	do, wait = n.choose(ctx)
	return do, n.health.Journal, wait
}

func (n *node) choose(ctx context.Context) (task, time.Duration) {
	now := time.Now()
	wait := n.giveUp(now)
	if !n.up {
		return nil, wait
	}
	until := func(t time.Time) bool {
		if t.After(now) {
			wait = min(wait, t.Sub(now))
			return true
		}
		return false
	}
	if until(n.retryAt) {
		return nil, wait
	}
	if !n.pauseTo.IsZero() && !until(n.pauseTo) {
		n.pauseTo = time.Time{}
		n.place()
	}
	n.ripen(until)
	n.tend(until)
	switch {
	case n.unsure:
		n.unsure = false
		return n.compare(), 0
	case len(n.closes) > 0:
		return n.closeOne(), 0
	case len(n.queue) > 0:
		return n.submit(ctx, now), 0
	}
	if batch, keys := n.dueAcks(until); len(batch) > 0 {
		return n.acknowledge(batch, keys), 0
	}
	if e := n.duePoll(until); e != nil {
		return n.ask(e, now), 0
	}
	if n.failures > 1 && n.quiet() {
		return n.probe, 0
	}
	return nil, wait
}

// quiet reports whether there is no other request to come that tells whether the
// daemon answers again.
func (n *node) quiet() bool {
	return n.talk == nil && len(n.later)+len(n.acks)+len(n.polls) == 0
}

// probe finds out whether requests are answered again.
func (n *node) probe(ctx context.Context, p peer) {
	_ = n.fetch(ctx, p, request{method: http.MethodGet, path: wire.PathHealth}, nil)
}

// fetch makes a request, reads the answer, and notes how that went.
func (n *node) fetch(ctx context.Context, p peer, r request, to any) error {
	err := p.fetch(ctx, r, to)
	if ctx.Err() == nil {
		n.finished(definite(err))
	}
	return err
}

// ripen queues what was to be submitted later and is due.
func (n *node) ripen(until func(time.Time) bool) {
	n.later = slices.DeleteFunc(n.later, func(e *entry) bool {
		if until(e.retryAt) {
			return false
		}
		n.queue = append(n.queue, e)
		return true
	})
}

// compare finds out what has moved while there was no stream.
func (n *node) compare() task {
	var keys []string
	for _, e := range n.entries {
		if e.owned && !e.over {
			keys = append(keys, e.key)
		}
	}
	return func(ctx context.Context, p peer) {
		for part := range slices.Chunk(keys, mostKeys) {
			missing, err := n.missing(ctx, p, part)
			n.mu.Lock()
			n.unsure = n.unsure || err != nil
			for _, key := range missing {
				n.take(&wire.State{Key: key, State: wire.Moved})
			}
			n.mu.Unlock()
			if err != nil {
				return
			}
		}
	}
}

// missing returns those of the keys that the session does not own.
func (n *node) missing(ctx context.Context, p peer, keys []string) ([]string, error) {
	body, err := json.Marshal(wire.Keys{Keys: keys})
	if err != nil {
		return nil, err
	}
	var answer wire.Renewed
	ask := request{method: http.MethodPost, path: wire.PathRenew, body: body}
	err = n.fetch(ctx, p, ask, &answer)
	return answer.Missing, err
}

// closeOne closes the first key that is to be. Nil: that has become needless.
func (n *node) closeOne() task {
	e := n.closes[0]
	n.closes = slices.Delete(n.closes, 0, 1)
	e.closeQueued = false
	if e.over || e.gone || e.foreign {
		return nil
	}
	return func(ctx context.Context, p peer) {
		err := n.askClose(ctx, p, e)
		n.mu.Lock()
		defer n.mu.Unlock()
		switch {
		case e.over:
		case err != nil:
			n.enqueueClose(e)
		case !e.owned:
			n.poll(e)
		}
	}
}

// askClose asks for e to be closed. The answer is its state.
func (n *node) askClose(ctx context.Context, p peer, e *entry) error {
	path := wire.PathTask + url.PathEscape(e.key)
	if e.cause != "" {
		path += "?cause=" + e.cause
	}
	return n.askState(ctx, p, http.MethodDelete, path)
}

func (n *node) askState(ctx context.Context, p peer, method, path string) error {
	n.mu.Lock()
	start := n.start
	n.mu.Unlock()
	var st wire.State
	if err := n.fetch(ctx, p, request{method: method, path: path}, &st); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.start != start {
		return errStale // and revisions have begun anew
	}
	n.take(&st)
	return nil
}

var errStale = errors.New("the daemon that answers has ended")

// duePoll returns an entry that no stream tells of, if it is time to ask.
func (n *node) duePoll(until func(time.Time) bool) *entry {
	n.polls = slices.DeleteFunc(n.polls, func(e *entry) bool { return e.over || e.gone })
	for _, e := range n.polls {
		if !e.foreign && !until(e.retryAt) {
			return e
		}
	}
	return nil
}

// ask asks how e fares.
func (n *node) ask(e *entry, now time.Time) task {
	e.retryAt = now.Add(pollEvery)
	closing := e.closing
	return func(ctx context.Context, p peer) {
		if closing {
			_ = n.askClose(ctx, p, e) // it is asked again
			return
		}
		_ = n.askState(ctx, p, http.MethodGet, wire.PathTask+url.PathEscape(e.key))
	}
}
