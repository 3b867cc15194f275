package fork

import (
	"net"
	"sync"

	"github.com/daggy-go/daggy/executor/fork/internal/wire"
)

// A link is a connection of an engine with a supervisor. Two goroutines serve it
// until it is closed by either side.
type link struct {
	conn *wire.Conn

	mu    sync.Mutex // guards the following
	calls map[uint64]*call
	last  uint64
	over  bool
}

// A call is one of the things that an engine wants.
type call struct {
	id     uint64
	signal chan struct{} // there is news

	mu   sync.Mutex // guards news
	news news
}

// news is what was heard of a call and not dealt with yet.
type news struct {
	pid     uint64 // it runs
	output  [2][]byte
	offset  [2]int64 // of output
	grown   [2]int64 // so much is in the file
	outcome *wire.Outcome
	failure *wire.Failure
	done    bool // it was done
	broken  bool // nothing more will be heard
	gone    bool // the engine lets go
}

func newLink(conn net.Conn) *link {
	l := &link{conn: wire.NewConn(conn), calls: map[uint64]*call{}}
	go l.conn.Write()
	go func() {
		_ = l.conn.Read(l.handle)
		l.conn.Abort()
		l.end()
	}()
	return l
}

func (l *link) broken() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}

// end tells all calls that nothing more will be heard.
func (l *link) end() {
	l.mu.Lock()
	calls := l.calls
	l.calls, l.over = nil, true
	l.mu.Unlock()
	for _, c := range calls {
		c.tell(func(n *news) { n.broken = true })
	}
}

// open makes a call.
func (l *link) open() *call {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	c := &call{id: l.last, signal: make(chan struct{}, 1)}
	if l.over {
		c.tell(func(n *news) { n.broken = true })
		return c
	}
	l.calls[c.id] = c
	return c
}

func (l *link) drop(c *call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.calls, c.id)
}

func (l *link) send(c *call, kind wire.Kind, body []byte) {
	l.conn.Send(wire.Frame{Kind: kind, Call: c.id, Body: body})
}

// handle never blocks: what a call hears of is little, as long output is in files.
func (l *link) handle(f wire.Frame) error {
	l.mu.Lock()
	c := l.calls[f.Call]
	l.mu.Unlock()
	if c == nil {
		return nil // it is not of interest any more
	}
	var err error
	c.tell(func(n *news) { err = n.hear(f) })
	return err
}

func (c *call) tell(f func(*news)) {
	c.mu.Lock()
	f(&c.news)
	c.mu.Unlock()
	select {
	case c.signal <- struct{}{}:
	default:
	}
}

// take returns the news, and begins to collect others.
func (c *call) take() news {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.news
	c.news = news{}
	return n
}

// hear takes in a frame, whose body it does not keep.
func (n *news) hear(f wire.Frame) (err error) {
	switch f.Kind {
	case wire.Running:
		d := wire.NewDecoder(f.Body)
		n.pid = d.Uint()
		return d.End()
	case wire.Output:
		return n.hearOutput(f.Body)
	case wire.Grown:
		g, err := wire.DecodeGrowth(f.Body)
		n.grown[g.Stream] = max(n.grown[g.Stream], g.Size)
		return err
	case wire.Ended:
		o, err := wire.DecodeOutcome(append([]byte(nil), f.Body...))
		n.outcome = &o
		return err
	case wire.Refused:
		n.failure, err = wire.DecodeFailure(f.Body)
		return err
	case wire.Forgotten:
		n.done = true
		return nil
	default:
		return wire.ErrMalformed
	}
}

// hearOutput takes in a piece, which follows those that were heard before.
func (n *news) hearOutput(body []byte) error {
	c, err := wire.DecodeChunk(body)
	if err != nil {
		return err
	}
	have := n.output[c.Stream]
	if len(have) == 0 {
		n.offset[c.Stream] = c.Offset
	}
	if n.offset[c.Stream]+int64(len(have)) != c.Offset || len(have)+len(c.Data) > inlineMost {
		return wire.ErrMalformed
	}
	n.output[c.Stream] = append(have, c.Data...)
	return nil
}
