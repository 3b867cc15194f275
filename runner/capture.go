package runner

import (
	"os"
	"slices"
	"sync"
)

// capture is what is kept of one stream of one attempt.
type capture struct {
	mu      sync.Mutex
	limit   int64
	data    []byte
	size    int64 // bytes kept
	cut     int64 // bytes dropped
	tail    []byte
	file    *os.File
	path    string
	direct  bool
	over    bool
	counted int64         // of it, in outputs.size; guarded by outputs.mu
	changed chan struct{} // closed when something was written; nil: nobody waits
}

// start begins the attempt's output. What a follower already waits on is kept.
func (c *capture) start(limit int64, path string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit, c.path = limit, path
	c.data, c.size, c.cut, c.tail, c.over = nil, 0, 0, nil, false
	if path == "" {
		return nil
	}
	var err error
	c.file, err = os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR|os.O_APPEND, 0o600)
	return err
}

func (c *capture) write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return 0, os.ErrClosed // whoever writes has outlived the attempt
	}
	n := len(p)
	keep := p
	if c.limit >= 0 {
		keep = p[:min(int64(n), max(0, c.limit-c.size))]
	}
	if len(keep) > 0 {
		if c.file != nil {
			if _, err := c.file.Write(keep); err != nil {
				return 0, err
			}
		} else {
			c.data = append(c.data, keep...)
		}
		c.size += int64(len(keep))
	}
	if dropped := p[len(keep):]; len(dropped) > 0 {
		c.cut += int64(len(dropped))
		c.tail = append(c.tail, dropped[max(0, len(dropped)-tailSize):]...)
		if len(c.tail) > 4*tailSize {
			c.tail = append(c.tail[:0], c.tail[len(c.tail)-tailSize:]...)
		}
	}
	c.wake()
	return n, nil
}

func (c *capture) wake() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// finish says that nothing more comes, and returns how much is kept.
func (c *capture) finish() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if c.file != nil {
		if info, err := c.file.Stat(); err == nil && c.direct {
			c.size = info.Size()
		}
		_ = c.file.Close() // what was written was reported by Write
		c.file = nil
		if c.size == 0 {
			_ = os.Remove(c.path)
		}
	}
	c.wake()
	return c.size
}

// letGo says that nobody need wait for more, and reports whether nothing came.
func (c *capture) letGo() (empty bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.wake()
	return c.size == 0 && c.file == nil
}

// remove drops what is kept.
func (c *capture) remove() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut += c.size
	c.data, c.size = nil, 0
	if c.path != "" {
		_ = os.Remove(c.path) // readers that have it open go on
	}
}

// bytes returns all that is kept and how many bytes were dropped.
func (c *capture) bytes() ([]byte, int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.path == "" || c.size == 0 && c.over {
		return slices.Clip(c.data), c.cut, nil
	}
	data, err := os.ReadFile(c.path)
	return data, c.cut, err
}

// lastLines returns the end of the stream, at most n bytes.
func (c *capture) lastLines(n int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tail) >= n {
		return string(c.tail[len(c.tail)-n:])
	}
	return string(c.lastKept(n-len(c.tail))) + string(c.tail)
}

// lastKept returns the end of what is kept, at most n bytes, with mu held. It
// reads no more of a file than that.
func (c *capture) lastKept(n int) []byte {
	if c.path == "" {
		return c.data[max(0, len(c.data)-n):]
	}
	f, err := os.Open(c.path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	end := make([]byte, min(int64(n), info.Size()))
	k, _ := f.ReadAt(end, info.Size()-int64(len(end)))
	return end[:k]
}
