package executortest

import (
	"net"
	"sync"
	"time"
)

// A hold is an address that jobs dial and keep connected while they live.
type hold struct {
	lab      *lab
	listener net.Listener
	arrived  chan *grip

	mu     sync.Mutex
	grips  []*grip
	closed bool
}

// A grip is the connection of one job.
type grip struct {
	lab  *lab
	conn *net.TCPConn
	gone <-chan struct{} // closed when the job closes its side, or ends
}

func (l *lab) hold() *hold {
	l.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.Fatalf("listen: %v", err)
	}
	h := &hold{lab: l, listener: listener, arrived: make(chan *grip, 1024)}
	l.holds = append(l.holds, h)
	go h.accept()
	return h
}

func (h *hold) address() string { return h.listener.Addr().String() }

// accept ends when the listener is closed.
func (h *hold) accept() {
	for {
		conn, err := h.listener.Accept()
		if err != nil {
			return
		}
		g := &grip{lab: h.lab, conn: conn.(*net.TCPConn), gone: closed(conn)}
		h.mu.Lock()
		h.grips = append(h.grips, g)
		late := h.closed
		h.mu.Unlock()
		if late {
			_ = conn.Close()
			return
		}
		h.arrived <- g
	}
}

// next waits for the next job to dial. That Run returns first only means that
// the connection has yet to be accepted, or that nothing was started.
func (h *hold) next(t *trial) *grip {
	h.lab.Helper()
	timer := time.NewTimer(h.lab.config.Patience)
	defer timer.Stop()
	select {
	case g := <-h.arrived:
		return g
	case <-timer.C:
	}
	if wait(t.done, 0) {
		h.lab.Fatalf("Run has returned (%v, %v) and its job has not started", t.result, t.err)
	}
	h.lab.Fatalf("the job has not started after %v", h.lab.config.Patience)
	return nil
}

// none reports whether no further job dials within a moment.
func (h *hold) none() bool { return h.arrival() == nil }

// arrival returns the next job that dials within a moment, or nil.
func (h *hold) arrival() *grip {
	timer := time.NewTimer(h.lab.config.quiet)
	defer timer.Stop()
	select {
	case g := <-h.arrived:
		return g
	case <-timer.C:
		return nil
	}
}

// close lets all jobs end, also those that are still to come.
func (h *hold) close() {
	_ = h.listener.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, g := range h.grips {
		_ = g.conn.Close()
	}
}

// release lets the job end.
func (g *grip) release() {
	g.lab.Helper()
	if err := g.conn.CloseWrite(); err != nil {
		g.lab.Fatalf("the job is gone: %v", err)
	}
}

// ended reports whether the job ends, which it must have done already: the
// connection is only given time to show it.
func (g *grip) ended() bool { return g.lab.within(g.gone) }

// alive reports whether the job is still there after a moment.
func (g *grip) alive() bool { return !wait(g.gone, g.lab.config.quiet) }
