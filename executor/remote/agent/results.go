package agent

import (
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// A stream tells a session of its attempts.
type stream struct {
	session *session
	signal  chan struct{} // has room for one
	after   uint64        // what was told last
	found   []change
	buf     []byte
	cap     wire.Capacity // that was told last
	// paced: capacity was told just now, and is told again in a while.
	paced atomic.Bool
	// lag wakes it for what is told with something else, or in a moment. Agent.mu
	// guards it, and lagging: it is about to.
	lag     *time.Timer
	lagging bool
	gathering
}

// A change is an attempt that has one.
type change struct {
	at  *attempt
	rev uint64
}

func (st *stream) wake() {
	select {
	case st.signal <- struct{}{}:
	default:
	}
}

// wakeSoon is wake for a change that a client acts on. Agent.mu is held.
func (st *stream) wakeSoon() {
	if st.news++; st.news >= st.enough {
		st.wake()
	}
}

// wakeLater is wake for a change that is told with others, or in a moment. Agent.mu
// is held.
func (st *stream) wakeLater() {
	if !st.lagging && st.enough <= 1 {
		st.lagging = true
		st.lag.Reset(lagTime)
	}
}

// Limits of streams.
const (
	pingPause     = 10 * time.Second // between lines, at most
	writePatience = 30 * time.Second
	capacityPause = 50 * time.Millisecond
	lagTime       = 10 * time.Millisecond
	chunk         = 256 // changes that are written together
)

// serveResults answers GET /api/v1/results.
func (a *Agent) serveResults(w http.ResponseWriter, r *http.Request) {
	by, ok := a.callerOf(w, r)
	if !ok {
		return
	}
	st := &stream{signal: make(chan struct{}, 1)}
	st.lag = time.AfterFunc(lagTime, st.wake)
	defer st.lag.Stop()
	if text := r.URL.Query().Get("after"); text != "" && r.URL.Query().Get("start") == a.start {
		var err error
		if st.after, err = strconv.ParseUint(text, 10, 64); err != nil {
			answerProblem(w, malformed(errAfter))
			return
		}
	}
	hello := a.join(by, st)
	defer a.leave(st)
	stop := a.allocator.Notify(func() {
		if !st.paced.Load() {
			st.wake()
		}
	})
	defer stop()
	w.Header()["Content-Type"] = typeNDJSON
	w.WriteHeader(http.StatusOK)
	rc := http.NewResponseController(w)
	line, err := (&wire.Event{Hello: &hello}).Append(nil)
	if err != nil {
		return // never
	}
	st.buf = line
	a.stream(w, r, st, rc)
}

// join begins a stream.
func (a *Agent) join(by caller, st *stream) wire.Hello {
	a.mu.Lock()
	defer a.mu.Unlock()
	st.session = a.session(by.session)
	st.session.streams[st] = struct{}{}
	st.session.idleSince = time.Time{}
	a.watchers[st] = struct{}{}
	a.hear(by)
	return wire.Hello{Start: a.start, After: st.after, Rev: a.rev}
}

func (a *Agent) leave(st *stream) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(st.session.streams, st)
	delete(a.watchers, st)
}

// stream writes until the client goes away or the daemon ends.
func (a *Agent) stream(
	w http.ResponseWriter, r *http.Request, st *stream, rc *http.ResponseController,
) {
	ping := time.NewTimer(pingPause)
	defer ping.Stop()
	pace := time.NewTimer(0) // of capacity
	defer pace.Stop()
	gather := time.NewTimer(gatherTime)
	defer gather.Stop()
	timely, last := true, false
	for {
		news := a.collect(st, timely)
		timely = true
		for more := true; more; {
			more = a.write(st)
			if !more && !st.paced.Load() && a.tellCapacity(st) {
				st.paced.Store(true)
				pace.Reset(capacityPause)
			}
			if !send(w, rc, st) {
				return
			}
		}
		if last && !news {
			return
		}
		ping.Reset(pingPause)
		var gathered <-chan time.Time
		if st.enough > 1 {
			gather.Reset(gatherTime)
			gathered = gather.C
		}
		select {
		case <-gathered:
			timely = false
		case <-st.signal:
			// What else is about to end had better be in the same write.
			runtime.Gosched()
		case <-pace.C:
			st.paced.Store(false)
		case <-ping.C:
			st.buf, _ = (&wire.Event{Ping: true}).Append(st.buf)
		case <-r.Context().Done():
			return
		case <-a.silent:
			last = true
		}
	}
}

// send writes what there is. It reports false if nobody listens.
func send(w http.ResponseWriter, rc *http.ResponseController, st *stream) bool {
	if len(st.buf) == 0 {
		return true
	}
	patiently(rc)
	_, err := w.Write(st.buf)
	st.buf = st.buf[:0]
	if cap(st.buf) > 4*mostKept {
		st.buf = nil
	}
	return err == nil && rc.Flush() == nil
}

// patiently bounds how long what is written next may take, so that a client that reads
// nothing any more holds nothing. The server takes that back for the next request.
func patiently(rc *http.ResponseController) {
	// What takes no deadlines is not a connection, but a test.
	_ = rc.SetWriteDeadline(time.Now().Add(writePatience))
}

// collect finds what has changed since the last time, in order. Timely: it was not
// because gatherTime was over. It reports whether there is anything.
func (a *Agent) collect(st *stream, timely bool) bool {
	st.found = st.found[:0]
	a.mu.Lock()
	defer a.mu.Unlock()
	if st.lagging {
		st.lagging = false
		st.lag.Stop()
	}
	st.collected(a.open, timely)
	for at := st.session.last; at != nil && at.rev > st.after; at = at.prev {
		st.found = append(st.found, change{at, at.rev})
	}
	slices.Reverse(st.found)
	if a.rev > st.after && len(st.found) > 0 {
		st.after = st.found[len(st.found)-1].rev
	}
	return len(st.found) > 0
}

// write adds a part of what was found to what is sent next. It reports whether there
// is more. What has changed again meanwhile comes later, in its place.
func (a *Agent) write(st *stream) bool {
	n := min(chunk, len(st.found))
	a.mu.Lock()
	for _, c := range st.found[:n] {
		if c.at.rev != c.rev || c.at.session != st.session || c.at.phase == claiming {
			continue
		}
		state := c.at.state()
		st.buf = append(state.Append(st.buf), '\n')
		if c.at.phase == moved {
			st.session.unlink(c.at)
			c.at.rev = 0
		}
	}
	a.mu.Unlock()
	clear(st.found[:n])
	st.found = st.found[n:]
	return len(st.found) > 0
}

// tellCapacity adds what the node has, if it is not what was told last.
func (a *Agent) tellCapacity(st *stream) bool {
	now := a.capacity()
	a.mu.Lock()
	now.Own = make(dag.Resources, len(st.session.own))
	for name, amount := range st.session.own {
		if amount > 0 {
			now.Own[name] = amount
		}
	}
	a.mu.Unlock()
	if st.cap.Node != "" && now.Leases == st.cap.Leases && now.Draining == st.cap.Draining &&
		now.Trouble == st.cap.Trouble && maps.Equal(now.Own, st.cap.Own) &&
		maps.Equal(now.Total, st.cap.Total) && maps.Equal(now.Free, st.cap.Free) {
		return false
	}
	st.cap = now
	st.buf, _ = (&wire.Event{Capacity: &now}).Append(st.buf)
	return true
}
