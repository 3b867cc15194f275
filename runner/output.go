package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Output says where the output of attempts goes and how much of it is kept.
type Output struct {
	// Dir gets a file for each stream of each attempt that is not empty, named
	// by the attempt's key. It is made if it does not exist; it and the files
	// are for their owner only. "": output is kept in memory, for as long as
	// the run's Handle or Report is.
	Dir string
	// PerAttempt is how many bytes of each stream of an attempt are kept. What
	// comes after is dropped and counted. 0: 1 MiB; negative: no limit. With
	// Dir and no limit, executors get the files themselves to write to.
	PerAttempt int64
	// Total is how many bytes are kept for a run. Beyond it, the oldest output
	// of attempts that are over goes. 0: 256 MiB in memory, no limit with Dir;
	// negative: no limit.
	Total int64
}

// Stream names one of the two streams of an attempt.
type Stream string

// The streams.
const (
	Stdout Stream = "stdout"
	Stderr Stream = "stderr"
)

// tailSize is how much is kept of the end of a stream that was cut.
const tailSize = 4 << 10

// outputs keeps what the attempts of a run print.
type outputs struct {
	dir        string
	perAttempt int64
	total      int64
	generator  int64 // limit of the standard output of generators

	mu    sync.Mutex
	kept  map[outputKey]*capture
	order []outputKey // of those that are over, oldest first
	size  int64
	// followed: somebody may wait for more of an attempt.
	followed atomic.Bool
}

type outputKey struct {
	task, instance, attempt int32
	stream                  Stream
}

func newOutputs(o Output, generator int64) (*outputs, error) {
	s := &outputs{
		dir: o.Dir, perAttempt: o.PerAttempt, total: o.Total, generator: generator,
		kept: map[outputKey]*capture{},
	}
	if s.perAttempt == 0 {
		s.perAttempt = 1 << 20
	}
	if s.total == 0 && s.dir == "" {
		s.total = 256 << 20
	}
	if s.dir == "" {
		return s, nil
	}
	return s, os.MkdirAll(s.dir, 0o700)
}

// open gives an attempt its writers.
func (s *outputs) open(a *attempt) {
	a.Stdout, a.Stderr = a.stdout, a.stderr
	if s.dir == "" || s.perAttempt >= 0 {
		return
	}
	if !a.generator {
		a.stdout.direct()
	}
	a.stderr.direct()
}

// capture returns what is kept of a stream, and makes it if need be.
func (s *outputs) capture(key outputKey) *capture {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.kept[key]
	if c == nil {
		c = &capture{}
		s.kept[key] = c
	}
	return c
}

// keep ends the captures of an attempt, and makes room.
func (s *outputs) keep(a *attempt) {
	a.stdout = s.keepStream(a.stdout)
	a.stderr = s.keepStream(a.stderr)
}

// keepStream ends a stream, and returns the one to use next. One that was
// written to is not used again: whoever still has it writes to nothing.
func (s *outputs) keepStream(st *stream) *stream {
	c := st.c.Load()
	if c == nil {
		return st
	}
	s.end(st.key(), c)
	return &stream{attempt: st.attempt, kind: st.kind}
}

func (s *outputs) end(key outputKey, c *capture) {
	kept := c.finish()
	s.mu.Lock()
	defer s.mu.Unlock()
	// An attempt that was not started is handed over again, and ends again.
	before := c.counted
	c.counted = kept
	s.size += kept - before
	if kept == 0 {
		delete(s.kept, key)
		return
	}
	if before == 0 {
		s.order = append(s.order, key)
	}
	for s.total > 0 && s.size > s.total && len(s.order) > 1 {
		oldest := s.order[0]
		s.order = s.order[1:]
		if c := s.kept[oldest]; c != nil {
			c.remove()
			s.size -= c.counted
			delete(s.kept, oldest)
		}
	}
}

// letGo ends the waiting of those who follow an attempt that nothing more is to
// be heard of.
func (s *outputs) letGo(task, instance, attempt int) {
	if !s.followed.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stream := range [...]Stream{Stdout, Stderr} {
		key := outputKey{
			task: int32(task), instance: int32(instance), attempt: int32(attempt), stream: stream,
		}
		if c := s.kept[key]; c != nil && c.letGo() {
			delete(s.kept, key)
		}
	}
}

// find returns what is kept of a stream, or nil.
func (s *outputs) find(key outputKey) *capture {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept[key]
}

// stream is the writer that an attempt has. It costs nothing until something is
// written.
type stream struct {
	attempt *attempt
	kind    Stream // "" is Stdout
	c       atomic.Pointer[capture]
}

func (st *stream) key() outputKey {
	key := outputKey{
		task: int32(st.attempt.task), instance: int32(st.attempt.Index),
		attempt: int32(st.attempt.Number), stream: Stdout,
	}
	if st.kind == Stderr {
		key.stream = Stderr
	}
	return key
}

// Write never fails for want of room: what is too much is counted and dropped.
func (st *stream) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c, err := st.capture()
	if err != nil {
		return 0, err
	}
	return c.write(p)
}

func (st *stream) capture() (*capture, error) {
	if c := st.c.Load(); c != nil {
		return c, nil
	}
	a := st.attempt
	s := a.engine.outputs
	c := s.capture(st.key())
	limit := s.perAttempt
	inFile := s.dir != ""
	if a.generator && st.kind != Stderr {
		limit, inFile = s.generator, false // it is parsed and goes to the log
	}
	path := ""
	if inFile {
		path = filepath.Join(s.dir, a.Key+"."+string(st.key().stream))
	}
	if err := c.start(limit, path); err != nil {
		return nil, fmt.Errorf("runner: keep output: %w", err)
	}
	st.c.Store(c)
	return c, nil
}

// direct hands the executor the file itself.
func (st *stream) direct() {
	c, err := st.capture()
	if err != nil {
		return // the first Write says so
	}
	if st.kind == Stderr {
		st.attempt.Stderr = c.file
	} else {
		st.attempt.Stdout = c.file
	}
	c.direct = true
}

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
