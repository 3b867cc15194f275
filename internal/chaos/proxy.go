// Package chaos is a bad network between a client and a server, for tests with
// real sockets: a proxy on loopback that cuts, holds back, delays and loses. And on
// Linux it is a bad disk, a [Disk] that can be full.
//
//	p, err := chaos.New("127.0.0.1:1234")
//	…                        // clients dial p.Addr()
//	p.Hold()                 // a partition: nothing gets through, nobody is told
//	p.Heal()                 // what was sent meanwhile arrives late
//
// Bytes are never altered. What a partition holds back arrives when it heals, even
// if who sent it has given up meanwhile: that is what TCP does, and where requests
// that arrive late come from.
package chaos

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// A Proxy forwards connections to one address. All methods may be called
// concurrently.
type Proxy struct {
	target   string
	listener net.Listener
	pumps    sync.WaitGroup

	mu     sync.Mutex // guards the following
	links  map[*link]struct{}
	open   chan struct{} // closed while bytes may pass
	held   bool
	refuse bool
	closed bool
	delay  time.Duration
	lose   int // answers still to be lost
	lost   int
}

// A link is one connection through the proxy.
type link struct {
	client, server *net.TCPConn
	cut            chan struct{}
	once           sync.Once
}

// New starts a Proxy on loopback. Close ends it.
func New(target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{
		target: target, listener: listener,
		links: map[*link]struct{}{}, open: make(chan struct{}),
	}
	close(p.open)
	p.pumps.Go(p.accept)
	return p, nil
}

// Addr is the address to dial.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Hold lets nothing through from now on. Connections stay, and new ones are
// accepted.
func (p *Proxy) Hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.held {
		p.held, p.open = true, make(chan struct{})
	}
}

// Refuse resets all connections, and new ones as soon as they are there.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	p.refuse = true
	p.mu.Unlock()
	p.Cut()
}

// Heal ends Hold, Refuse, Delay and LoseAnswers. What was held back arrives.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse, p.delay, p.lose = false, 0, 0
	if p.held {
		p.held = false
		close(p.open)
	}
}

// Delay holds back each piece for that long.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// LoseAnswers has the next n answers lost: the server gets the request and acts on
// it, and when it answers, the client's connection is reset instead.
func (p *Proxy) LoseAnswers(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose = n
}

// Lost is how many answers were lost.
func (p *Proxy) Lost() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

// Cut resets all connections there are.
func (p *Proxy) Cut() {
	for _, l := range p.all() {
		l.reset()
	}
}

// HalfClose ends the direction to the client of all connections there are. What
// clients send still arrives.
func (p *Proxy) HalfClose() {
	for _, l := range p.all() {
		_ = l.client.CloseWrite()
	}
}

// Close resets all connections and waits until nothing of the proxy is left.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.Cut()
	p.pumps.Wait()
}

func (p *Proxy) all() []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]*link, 0, len(p.links))
	for l := range p.links {
		all = append(all, l)
	}
	return all
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		client := conn.(*net.TCPConn)
		p.pumps.Go(func() { p.serve(client) })
	}
}

// serve forwards one connection until it is over in both directions.
func (p *Proxy) serve(client *net.TCPConn) {
	l := &link{client: client, cut: make(chan struct{})}
	p.mu.Lock()
	refuse := p.refuse || p.closed
	p.mu.Unlock()
	if !refuse {
		conn, err := net.DialTimeout("tcp", p.target, 5*time.Second)
		if err == nil {
			l.server = conn.(*net.TCPConn)
		}
		refuse = err != nil
	}
	if refuse || !p.keep(l) {
		l.reset()
		return
	}
	var answers sync.WaitGroup
	answers.Go(func() { p.pump(l, l.client, l.server, true) })
	p.pump(l, l.server, l.client, false)
	answers.Wait()
	l.reset()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// keep notes a link, unless it is too late for that.
func (p *Proxy) keep(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse || p.closed {
		return false
	}
	p.links[l] = struct{}{}
	return true
}

// pump forwards one direction. If the sender is gone, the receiver is told so only
// after all that was sent.
func (p *Proxy) pump(l *link, to, from *net.TCPConn, answers bool) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 || errors.Is(err, io.EOF) {
			if !p.pass(l) {
				return
			}
		}
		if n > 0 {
			if answers && p.loses() {
				l.reset()
				return
			}
			if _, err := to.Write(buf[:n]); err != nil && answers {
				// The client is gone: let the server see that.
				_ = from.CloseRead()
				return
			}
		}
		if err != nil {
			_ = to.CloseWrite()
			return
		}
	}
}

// pass waits until bytes may pass. It reports false if the link was cut before.
func (p *Proxy) pass(l *link) bool {
	p.mu.Lock()
	open, delay := p.open, p.delay
	p.mu.Unlock()
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.cut:
			return false
		}
	}
	select {
	case <-open:
		return true
	case <-l.cut:
		return false
	}
}

// loses reports whether this answer is to be lost.
func (p *Proxy) loses() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lose == 0 {
		return false
	}
	p.lose--
	p.lost++
	return true
}

// reset ends both connections at once, without a farewell.
func (l *link) reset() {
	l.once.Do(func() {
		close(l.cut)
		for _, conn := range []*net.TCPConn{l.client, l.server} {
			if conn != nil {
				_ = conn.SetLinger(0)
				_ = conn.Close()
			}
		}
	})
}
