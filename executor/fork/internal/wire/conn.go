package wire

import (
	"bufio"
	"net"
	"sync"
	"time"
)

// A Conn is one side of a connection, after the greeting. Sending never blocks:
// what cannot be written at once is queued. Whoever makes one calls Write and Read
// on goroutines, and waits for both to return after Close.
type Conn struct {
	conn net.Conn
	wake chan struct{} // has room for one
	done chan struct{} // closed by Close

	mu     sync.Mutex // guards the following
	queue  []byte
	later  []func([]byte) []byte
	busy   bool // somebody writes
	closed bool
	soon   *time.Timer // set when something waits for company
}

// soonTime is how long a frame waits for others to go out with.
const soonTime = 5 * time.Millisecond

// NewConn returns a connection that owns c.
func NewConn(c net.Conn) *Conn {
	return &Conn{conn: c, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// Send sends a frame. After Close it does nothing.
func (c *Conn) Send(f Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.queue = AppendFrame(c.queue, f)
	if !c.busy {
		c.writeNow()
	}
}

// SendSoon sends a frame together with the next one, or in a moment. It is for what
// may be overtaken by events: each message takes as long as starting a small program
// takes to a tenth.
func (c *Conn) SendSoon(f Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.queue = AppendFrame(c.queue, f)
	if c.soon == nil {
		c.soon = time.AfterFunc(soonTime, c.nudge)
		return
	}
	c.soon.Reset(soonTime)
}

// Later has f append frames when it is their turn. It is for what would only
// repeat itself if it were queued while the other side is slow.
func (c *Conn) Later(f func([]byte) []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.later = append(c.later, f)
		c.nudge()
	}
}

// writeNow writes what is queued as far as that is possible without waiting: it
// saves waking a goroutine. The rest, or an error, is left to Write. The caller
// holds mu.
func (c *Conn) writeNow() {
	n := tryWrite(c.conn, c.queue)
	if n == len(c.queue) {
		c.queue = keep(c.queue)[:0]
		return
	}
	c.queue = append(c.queue[:0], c.queue[n:]...)
	c.nudge()
}

func (c *Conn) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Write writes what is queued until the connection is closed. It then has been
// closed, and all of what was queued before Close is written if possible.
func (c *Conn) Write() {
	defer c.Abort()
	var spare []byte
	for {
		out, closed := c.take(spare)
		if len(out) > 0 {
			_, err := c.conn.Write(out)
			c.rest()
			if err != nil {
				return
			}
			spare = keep(out)
			continue
		}
		c.rest()
		if closed {
			return
		}
		spare = keep(out)
		select {
		case <-c.wake:
		case <-c.done:
		}
	}
}

// take returns all that is to be written, and makes Write the only one to do so.
func (c *Conn) take(spare []byte) (out []byte, closed bool) {
	c.mu.Lock()
	out, later := c.queue, c.later
	closed = c.closed
	c.queue, c.later, c.busy = spare[:0], nil, true
	c.mu.Unlock()
	for _, f := range later {
		out = f(out)
	}
	return out, closed
}

// rest lets others write.
func (c *Conn) rest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
	if len(c.queue) > 0 {
		c.nudge()
	}
}

// keep returns a buffer to use again, unless it has become large.
func keep(b []byte) []byte {
	const most = 256 << 10
	if cap(b) > most {
		return nil
	}
	return b
}

// Read hands each frame that arrives to f, which must not keep its body, until
// the connection is over, and says why it is.
func (c *Conn) Read(f func(Frame) error) error {
	const size = 64 << 10
	r := bufio.NewReaderSize(c.conn, size)
	var buf []byte
	for {
		frame, b, err := ReadFrame(r, buf)
		if err != nil {
			return err
		}
		if err := f(frame); err != nil {
			return err
		}
		buf = keep(b)
	}
}

// Close lets Write write what is queued and then end the connection.
func (c *Conn) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.closed = true
	close(c.done)
	if c.soon != nil {
		c.soon.Stop()
	}
}

// Abort ends the connection at once.
func (c *Conn) Abort() {
	c.Close()
	_ = c.conn.Close()
}
