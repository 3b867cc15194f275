package runner

import (
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// OutputQuery selects output of an instance.
type OutputQuery struct {
	// Attempt by number. 0: the last one that has started.
	Attempt int
	// Stream to read. "": Stdout.
	Stream Stream
	// Offset of the first byte, from 0.
	Offset int64
	// Follow waits for more until the attempt is over.
	Follow bool
}

// reader reads a capture.
type reader struct {
	ctx    context.Context //nolint:containedctx // Read has no argument for it
	c      *capture
	offset int64
	follow bool
	file   *os.File
}

// filePoll is how often a file is looked at that its task writes by itself.
const filePoll = 100 * time.Millisecond

func (r *reader) Read(p []byte) (int, error) {
	for {
		n, wait, err := r.readSome(p)
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
		var poll <-chan time.Time
		if wait == nil {
			poll = time.After(filePoll)
		}
		select {
		case <-wait:
		case <-poll:
		case <-r.ctx.Done():
			return 0, context.Cause(r.ctx)
		}
	}
}

func (r *reader) readSome(p []byte) (n int, wait chan struct{}, err error) {
	c := r.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.path != "" {
		n, err = r.readFile(p)
	} else if r.offset < int64(len(c.data)) {
		n = copy(p, c.data[r.offset:])
	}
	r.offset += int64(n)
	switch {
	case n > 0 || err != nil:
		return n, nil, err
	case c.over || !r.follow:
		return 0, nil, io.EOF
	case c.direct:
		return 0, nil, nil
	}
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	return 0, c.changed, nil
}

func (r *reader) readFile(p []byte) (int, error) {
	if r.file == nil {
		f, err := os.Open(r.c.path)
		if errors.Is(err, os.ErrNotExist) && r.c.size == 0 {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		r.file = f
	}
	n, err := r.file.ReadAt(p, r.offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// Close lets go of what the reader holds.
func (r *reader) Close() error {
	if r.file != nil {
		return r.file.Close()
	}
	return nil
}
