package fork

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork/internal/journal"
	"github.com/daggy-go/daggy/executor/fork/internal/wire"
)

// errStopped is why an attempt was ended, as far as its supervisor knows.
var errStopped = errors.New("stopped by its engine")

// A session is a connection with an engine.
type session struct {
	s    *supervisor
	raw  *net.UnixConn
	conn *wire.Conn

	mu    sync.Mutex // guards calls
	calls map[uint64]*attempt
}

func newSession(s *supervisor, conn *net.UnixConn) *session {
	return &session{s: s, raw: conn, conn: wire.NewConn(conn), calls: map[uint64]*attempt{}}
}

// serve answers the engine until it goes away.
func (n *session) serve() {
	defer n.leaveAll()
	if err := greetPeer(n.raw); err != nil {
		complain(fmt.Errorf("an engine: %w", err))
		n.conn.Abort()
		return
	}
	var writing sync.WaitGroup
	writing.Go(n.conn.Write)
	defer writing.Wait()
	defer n.conn.Abort()
	// Any end is the end of the engine, or of its interest.
	_ = n.conn.Read(n.handle)
}

// leaveAll is for the end of the session.
func (n *session) leaveAll() {
	n.mu.Lock()
	calls := n.calls
	n.calls = nil
	n.mu.Unlock()
	for call, a := range calls {
		a.leave(n, call)
	}
}

func (n *session) watch(call uint64, a *attempt) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.calls != nil {
		n.calls[call] = a
	}
}

func (n *session) forget(call uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.calls, call)
}

func (n *session) watched(call uint64) *attempt {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.calls[call]
}

// handle deals with a frame. An error ends the session.
func (n *session) handle(f wire.Frame) error {
	switch f.Kind {
	case wire.Run:
		start, err := wire.DecodeStart(f.Body)
		if err != nil {
			return err
		}
		n.attach(f.Call, start.Key, &start)
	case wire.Attach:
		n.attach(f.Call, string(f.Body), nil)
	case wire.Close:
		stop, err := wire.DecodeStop(f.Body)
		if err != nil {
			return err
		}
		n.close(f.Call, stop)
	case wire.Halt:
		stop, err := wire.DecodeStop(f.Body)
		if err != nil {
			return err
		}
		if a := n.watched(f.Call); a != nil {
			a.stop(stopCause(stop))
		}
	case wire.Leave:
		if a := n.watched(f.Call); a != nil {
			n.forget(f.Call)
			a.leave(n, f.Call)
		}
	case wire.Forget:
		return n.forgetKeys(f)
	default:
		return fmt.Errorf("frame of kind %d: %w", f.Kind, wire.ErrMalformed)
	}
	return nil
}

func stopCause(s wire.Stop) error {
	if s.TimeLimit {
		return executor.ErrTimeLimit
	}
	return errStopped
}

// attach makes a call watch what a key has started, or starts.
func (n *session) attach(call uint64, key string, start *wire.Start) {
	if err := checkKey(key); err != nil {
		n.refuse(call, &wire.Failure{Text: err.Error(), Permanent: true})
		return
	}
	a, e := n.s.find(key, start)
	if a != nil {
		a.watch(&watcher{session: n, call: call})
		return
	}
	n.report(call, key, e)
}

// report says what is known of a key that does nothing.
func (n *session) report(call uint64, key string, e journal.Entry) {
	switch e.State {
	case journal.Ended:
		body, err := n.s.journal.Outcome(key)
		if err == nil {
			n.conn.Send(wire.Frame{Kind: wire.Ended, Call: call, Body: body})
			return
		}
		n.refuse(call, &wire.Failure{Text: fmt.Sprintf("its outcome cannot be read: %v", err)})
	case journal.Lost:
		n.refuse(call, &wire.Failure{Class: wire.Lost, Text: e.Text})
	case journal.Closed:
		n.refuse(call, &wire.Failure{
			Class: wire.Closed, Text: "it was closed before it was started",
		})
	case journal.Forgotten:
		n.refuse(call, &wire.Failure{
			Class: wire.Lost, Text: "its outcome was recorded and then forgotten",
		})
	default:
		n.refuse(call, &wire.Failure{Class: wire.Unknown, Text: "it was never started"})
	}
}

func (n *session) refuse(call uint64, f *wire.Failure) {
	n.conn.Send(wire.Frame{Kind: wire.Refused, Call: call, Body: wire.AppendFailure(nil, f)})
}

// close ends whatever a key does, or keeps it from ever starting.
func (n *session) close(call uint64, stop wire.Stop) {
	if err := checkKey(stop.Key); err != nil {
		n.refuse(call, &wire.Failure{Text: err.Error(), Permanent: true})
		return
	}
	a, e := n.s.find(stop.Key, nil)
	if a == nil && e.State == journal.Unused {
		closed, err := n.s.closeKey(stop.Key)
		switch {
		case err != nil:
			n.refuse(call, &wire.Failure{Text: fmt.Sprintf("it cannot be closed: %v", err)})
			return
		case !closed:
			n.close(call, stop)
			return
		}
		e.State = journal.Closed
	}
	if a == nil {
		n.report(call, stop.Key, e)
		return
	}
	a.watch(&watcher{session: n, call: call})
	a.stop(stopCause(stop))
}

// forgetKeys drops what is known of keys, and their output.
func (n *session) forgetKeys(f wire.Frame) error {
	keys, err := wire.DecodeKeys(f.Body)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if checkKey(key) != nil {
			return fmt.Errorf("key %q: %w", key, wire.ErrMalformed)
		}
	}
	ended, err := n.s.journal.Forget(keys)
	for _, key := range ended {
		n.s.removeOutput(key)
	}
	if err != nil {
		n.refuse(f.Call, failure(err))
		return nil
	}
	n.conn.Send(wire.Frame{Kind: wire.Forgotten, Call: f.Call})
	return nil
}

// removeOutput removes the files of a key, of which there mostly are none.
func (s *supervisor) removeOutput(key string) {
	for stream := range 2 {
		err := os.Remove(outputPath(s.state, key, stream))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			complain(err)
		}
	}
}
