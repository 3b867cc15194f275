package slurm

import (
	"errors"
	"io"
	"os"
	"sync"
)

// A stream is an output of an attempt: a file that the job writes, and a writer
// that wants it.
type stream struct {
	path   string
	w      io.Writer
	at     int64 // so much is copied
	broken error // of the writer, which is not called again
	unread error // the file cannot be read, as of the last time
}

// open sets the file. "" and the null device have nothing.
func (s *stream) open(path string, w io.Writer) {
	if path != os.DevNull && w != io.Discard {
		s.path, s.w = path, w
	}
}

var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// copy hands on what is new.
func (s *stream) copy() {
	if s.path == "" || s.broken != nil {
		return
	}
	info, err := os.Stat(s.path)
	if err == nil && info.Size() <= s.at {
		s.unread = nil
		return
	}
	s.unread = err
	if err != nil {
		return
	}
	f, err := os.Open(s.path)
	if s.unread = err; err != nil {
		return
	}
	defer func() { _ = f.Close() }() // it was only read
	buf := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buf)
	for {
		n, err := f.ReadAt(buf[:], s.at)
		if n > 0 {
			if _, werr := s.w.Write(buf[:n]); werr != nil {
				s.broken = werr
				return
			}
			s.at += int64(n)
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				s.unread = err
			}
			return
		}
	}
}

// copy hands on what is new of both outputs.
func (r *run) copy() {
	r.out.copy()
	r.err.copy()
}
