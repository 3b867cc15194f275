package wire

import (
	"bufio"
	"net"
	"sync"
)

// A Conn is one side of a connection, after the greeting. Sending never blocks:
// what is sent meanwhile goes out together. Whoever makes one calls Write and Read
// on goroutines, and waits for both to return after Close.
type Conn struct {
	conn net.Conn
	wake chan struct{} // has room for one
	done chan struct{} // closed by Close

	mu     sync.Mutex // guards the following
	queue  []byte
	later  []func([]byte) []byte
	closed bool
}

// NewConn returns a connection that owns c.
func NewConn(c net.Conn) *Conn {
	return &Conn{conn: c, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// Send queues a frame. After Close it does nothing.
func (c *Conn) Send(f Frame) {
	c.mu.Lock()
	if !c.closed {
		c.queue = AppendFrame(c.queue, f)
	}
	c.mu.Unlock()
	c.nudge()
}

// Later has f append frames when it is their turn. It is for what would only
// repeat itself if it were queued while the other side is slow.
func (c *Conn) Later(f func([]byte) []byte) {
	c.mu.Lock()
	if !c.closed {
		c.later = append(c.later, f)
	}
	c.mu.Unlock()
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
		c.mu.Lock()
		out, later, closed := c.queue, c.later, c.closed
		c.queue, c.later = spare[:0], nil
		c.mu.Unlock()
		for _, f := range later {
			out = f(out)
		}
		if len(out) > 0 {
			if _, err := c.conn.Write(out); err != nil {
				return
			}
			spare = keep(out)
			continue
		}
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
	if !c.closed {
		c.closed = true
		close(c.done)
	}
}

// Abort ends the connection at once.
func (c *Conn) Abort() {
	c.Close()
	_ = c.conn.Close()
}
