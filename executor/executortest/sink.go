package executortest

import (
	"bytes"
	"sync"
)

// A sink is what attempts write to. It notices being used by two goroutines at
// once.
type sink struct {
	mu      sync.Mutex
	data    bytes.Buffer
	busy    int
	crowded bool

	// entered is closed by the first write, which then waits for gate. Both may
	// be nil.
	entered chan struct{}
	gate    chan struct{}
	once    sync.Once
}

// newGate returns a sink whose first write does not return until gate is closed.
func newGate() *sink {
	return &sink{entered: make(chan struct{}), gate: make(chan struct{})}
}

func (s *sink) Write(p []byte) (int, error) {
	s.enter(1)
	defer s.enter(-1)
	if s.gate != nil {
		s.once.Do(func() { close(s.entered) })
		<-s.gate
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data.Write(p)
}

func (s *sink) enter(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy += n
	s.crowded = s.crowded || s.busy > 1
}

func (s *sink) bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.data.Bytes())
}

// shared reports whether two writes ever overlapped.
func (s *sink) shared() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.crowded
}
