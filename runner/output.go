package runner

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// Output says where the output of attempts goes and how much of it is kept.
type Output struct {
	// Dir gets a file for each stream of each attempt that is not empty, named
	// by the attempt's key. It is made if it does not exist; it and the files
	// are for their owner only. "": output is kept in memory, for as long as
	// the run's Handle or Report is. What engines before this one have left there
	// is found again, but not how much they dropped, and it is not part of Total.
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

// find returns what this engine keeps of a stream, or nil.
func (s *outputs) find(key outputKey) *capture {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept[key]
}

// kept returns what is kept of a stream, by this engine or one before it, or
// nil.
func (e *engine) kept(key outputKey) *capture {
	if c := e.outputs.find(key); c != nil || e.outputs.dir == "" {
		return c
	}
	attempt := attemptKey(e.key, int(key.task), int(key.instance), int(key.attempt))
	path := e.outputs.path(attempt, key.stream)
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	return &capture{path: path, size: info.Size(), over: true}
}

// path is where a stream of the attempt of that key is kept.
func (s *outputs) path(attempt string, kind Stream) string {
	return filepath.Join(s.dir, attempt+"."+string(kind))
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
	if a.generator && st.kind != Stderr {
		limit = s.generator
	}
	path := ""
	if s.dir != "" {
		path = s.path(a.Key, st.key().stream)
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
