package fork

import (
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/executor/fork/internal/wire"
)

// inlineMost is how much of an output is kept in memory, and then in the journal.
// More goes into a file.
const inlineMost = 16 << 10

// A spool keeps one output of an attempt, so that it can be told from its first
// byte again, and tells it to those who watch. The attempt's mu guards it.
type spool struct {
	attempt *attempt
	stream  int
	data    []byte   // all of it, unless there is a file
	file    *os.File // nil: none yet
	size    int64
}

// writer returns where an output goes.
func (a *attempt) writer(start *wire.Start, stream int) io.Writer {
	switch {
	case start.Joined:
		stream = 0
	case !start.Wanted[stream]:
		return io.Discard
	}
	return &a.spools[stream]
}

func (s *spool) Write(p []byte) (int, error) {
	s.attempt.mu.Lock()
	defer s.attempt.mu.Unlock()
	if s.file == nil && s.size+int64(len(p)) <= inlineMost {
		chunk := wire.Chunk{Stream: s.stream, Offset: s.size, Data: p}.Append(nil)
		s.data = append(s.data, p...)
		s.size += int64(len(p))
		for _, w := range s.attempt.watchers {
			w.session.conn.SendSoon(w.frame(wire.Output, chunk))
		}
		return len(p), nil
	}
	if err := s.spill(); err != nil {
		return 0, err
	}
	n, err := s.file.Write(p)
	s.size += int64(n)
	for _, w := range s.attempt.watchers {
		s.grow(w)
	}
	return n, err
}

// spill moves the output to a file.
func (s *spool) spill() error {
	if s.file != nil {
		return nil
	}
	path := outputPath(s.attempt.s.state, s.attempt.key, s.stream)
	flags := os.O_WRONLY | os.O_CREATE | os.O_TRUNC | unix.O_NOFOLLOW
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(s.data); err != nil {
		_ = f.Close()
		return err
	}
	s.file, s.data = f, nil
	return nil
}

// grow tells a watcher how large the file is, once it listens: a slow one is not
// told of every step.
func (s *spool) grow(w *watcher) {
	if w.grown[s.stream] {
		return
	}
	w.grown[s.stream] = true
	w.session.conn.Later(func(b []byte) []byte {
		s.attempt.mu.Lock()
		defer s.attempt.mu.Unlock()
		w.grown[s.stream] = false
		body := wire.Growth{Stream: s.stream, Size: s.size}.Append(nil)
		return wire.AppendFrame(b, wire.Frame{Kind: wire.Grown, Call: w.call, Body: body})
	})
}

// repeat tells a watcher all that there is.
func (s *spool) repeat(w *watcher) {
	switch {
	case s.file != nil:
		s.grow(w)
	case s.size > 0:
		w.tell(wire.Output, wire.Chunk{Stream: s.stream, Data: s.data}.Append(nil))
	}
}

// streams ends the output and returns it.
func (a *attempt) streams() [2]wire.Stream {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all [2]wire.Stream
	for i := range a.spools {
		s := &a.spools[i]
		all[i] = wire.Stream{Size: s.size, Data: s.data}
		if s.file != nil {
			_ = s.file.Close() // what was written can be read
		}
	}
	return all
}
