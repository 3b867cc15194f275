package agent

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// servePut answers PUT /api/v1/task/{key}.
func (a *Agent) servePut(w http.ResponseWriter, r *http.Request) {
	key, ok := keyOf(w, r)
	if !ok {
		return
	}
	by, ok := a.callerOf(w, r)
	if !ok {
		return
	}
	body, release, err := readBody(r)
	if err != nil {
		answerUnread(w, err)
		return
	}
	sub, err := wire.ParseSubmissionOf(key, body)
	release()
	if err != nil {
		answerProblem(w, malformed(err))
		return
	}
	v := a.settle(a.submit(sub, by), by.session)
	if v.problem != nil {
		answerProblem(w, v)
		return
	}
	st := a.stateOf(v.at)
	answerState(w, v.status, &st)
}

// settle waits until a verdict holds.
func (a *Agent) settle(v verdict, session string) verdict {
	if v.flight != nil {
		if err := a.journal.wait(v.flight); err != nil {
			return journalTrouble(err)
		}
	}
	if v.at == nil || v.status != http.StatusOK {
		return v
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if lost := v.at.lost(session); lost.status != 0 {
		return lost
	}
	return v
}

func (a *Agent) stateOf(at *attempt) wire.State {
	a.mu.Lock()
	defer a.mu.Unlock()
	return at.state()
}

// serveState answers GET /api/v1/task/{key}.
func (a *Agent) serveState(w http.ResponseWriter, r *http.Request) {
	key, ok := keyOf(w, r)
	if !ok {
		return
	}
	wait, err := wish(r)
	if err != nil {
		answerProblem(w, malformed(err))
		return
	}
	after, following := uint64(0), false
	if text := r.URL.Query().Get("after"); text != "" {
		following = true
		if after, err = strconv.ParseUint(text, 10, 64); err != nil {
			answerProblem(w, malformed(errAfter))
			return
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	st, ok := a.await(ctx, key, func(st *wire.State) bool {
		over := st.State == wire.Ended || st.State == wire.NotStarted || st.State == wire.Closed
		return over || following && st.Rev > after
	})
	if !ok {
		answerProblem(w, refused(http.StatusNotFound, wire.CodeNotFound, "the key was never seen"))
		return
	}
	answerState(w, http.StatusOK, &st)
}

var errAfter = errors.New("after: this must be a revision")

// await returns the state of a key once it is as wanted, or ctx has ended. ok is
// false if the key is not known.
func (a *Agent) await(
	ctx context.Context, key string, wanted func(*wire.State) bool,
) (st wire.State, ok bool) {
	for {
		a.mu.Lock()
		st, ok = a.known(key)
		if !ok || wanted(&st) || ctx.Err() != nil {
			a.mu.Unlock()
			return st, ok
		}
		changed := make(chan struct{})
		at := a.attempts[key]
		at.changed = append(at.changed, changed)
		a.mu.Unlock()
		select {
		case <-changed:
			continue
		case <-ctx.Done():
		case <-a.ending:
		}
		a.mu.Lock()
		if i := slices.Index(at.changed, changed); i >= 0 {
			at.changed = slices.Delete(at.changed, i, i+1)
		}
		st, ok = a.known(key)
		a.mu.Unlock()
		return st, ok
	}
}

// serveDelete answers DELETE /api/v1/task/{key}.
func (a *Agent) serveDelete(w http.ResponseWriter, r *http.Request) {
	key, ok := keyOf(w, r)
	if !ok {
		return
	}
	by, ok := a.callerOf(w, r)
	if !ok {
		return
	}
	wait, err := wish(r)
	cause := r.URL.Query().Get("cause")
	if err == nil && cause != "" && cause != "time" {
		err = errCause
	}
	if err != nil {
		answerProblem(w, malformed(err))
		return
	}
	v := a.close(key, by.session, cause == "time")
	if v.flight != nil {
		if err := a.journal.wait(v.flight); err != nil {
			v = journalTrouble(err)
		}
	}
	switch {
	case v.problem != nil:
		answerProblem(w, v)
		return
	case v.at == nil:
		answerState(w, v.status, &wire.State{Key: key, State: wire.Closed})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	st, _ := a.await(ctx, key, func(st *wire.State) bool {
		return st.State != wire.Accepted && st.State != wire.Running
	})
	status := http.StatusOK
	if st.State == wire.Accepted || st.State == wire.Running {
		status = http.StatusAccepted
	}
	answerState(w, status, &st)
}

var errCause = errors.New(`cause: this must be "time", or left out`)

// serveRenew answers POST /api/v1/renew.
func (a *Agent) serveRenew(w http.ResponseWriter, r *http.Request) {
	by, keys, ok := a.keysOf(w, r)
	if ok {
		answerJSON(w, http.StatusOK, wire.Renewed{Missing: a.renew(by, keys)})
	}
}

// serveAck answers POST /api/v1/ack.
func (a *Agent) serveAck(w http.ResponseWriter, r *http.Request) {
	_, keys, ok := a.keysOf(w, r)
	if !ok {
		return
	}
	open, wait := a.acknowledge(keys)
	if wait != nil {
		if err := a.journal.wait(wait); err != nil {
			answerProblem(w, journalTrouble(err))
			return
		}
	}
	answerJSON(w, http.StatusOK, wire.Acknowledged{Open: open})
}

// keysOf reads a body of keys. If it cannot, the request is answered.
func (a *Agent) keysOf(
	w http.ResponseWriter, r *http.Request,
) (by caller, keys []string, ok bool) {
	if by, ok = a.callerOf(w, r); !ok {
		return by, nil, false
	}
	body, release, err := readBody(r)
	if err != nil {
		answerUnread(w, err)
		return by, nil, false
	}
	defer release()
	if keys, err = wire.ParseKeys(body); err != nil {
		answerProblem(w, malformed(err))
		return by, nil, false
	}
	return by, keys, true
}

// serveDrain answers POST /api/v1/drain.
func (a *Agent) serveDrain(w http.ResponseWriter, r *http.Request) {
	body, release, err := readBody(r)
	if err != nil {
		answerUnread(w, err)
		return
	}
	defer release()
	if err := wire.ParseNothing(body); err != nil {
		answerProblem(w, malformed(err))
		return
	}
	a.setDraining()
	answerJSON(w, http.StatusOK, a.health())
}

func (a *Agent) serveCapacity(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, a.capacity())
}

func (a *Agent) serveHealth(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, a.health())
}

func (a *Agent) capacity() wire.Capacity {
	a.mu.Lock()
	draining := a.draining
	a.mu.Unlock()
	c := wire.Capacity{Node: a.config.Node, Draining: draining}
	for _, n := range a.allocator.Nodes() {
		c.Total, c.Free, c.Leases = n.Total, n.Free, n.Leases
	}
	c.Trouble = a.trouble()
	return c
}

// trouble is why nothing new can be taken for now. "": none.
func (a *Agent) trouble() string {
	a.mu.Lock()
	unkept := a.keeping.wanted && a.keeping.keeper == nil
	a.mu.Unlock()
	if unkept {
		return errNoKeeper.Error()
	}
	if a.journal == nil {
		return ""
	}
	if err := a.journal.problem(); err != nil {
		return err.Error()
	}
	return ""
}

// journalID is "" for a daemon without a journal.
func (a *Agent) journalID() string {
	if a.journal == nil {
		return ""
	}
	return a.journal.id
}

func (a *Agent) health() wire.Health {
	h := wire.Health{
		Protocol: wire.Version, Version: a.config.Version, Boot: a.boot, Start: a.start,
		Durable: a.durable != nil, LeaseHolds: a.keeping.wanted,
		Load: load(), Capacity: a.capacity(), StopSeconds: a.config.StopTime.Seconds(),
		Journal: a.journalID(),
	}
	h.Trouble = h.Capacity.Trouble
	a.mu.Lock()
	defer a.mu.Unlock()
	h.Open, h.Ended = a.open, a.ended
	return h
}
