package slurm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
)

// A stream is an output of an attempt: a file that the job writes, and a writer
// that wants it.
type stream struct {
	// path of the file. "": that of the key in its store, which thousands of runs
	// need not keep.
	path   string
	w      io.Writer // nil: nobody wants it
	at     int64     // so much is copied
	broken error     // of the writer, which is not called again
	unread error     // the file cannot be read, as of the last time
}

// open sets the file of an output. "" and the null device have nothing.
func (r *run) open(s *stream, path string, w io.Writer) {
	if path == "" || path == os.DevNull || w == io.Discard {
		return
	}
	s.w = w
	if path != r.file(s) {
		s.path = path
	}
}

// file is the path of the file of an output.
func (r *run) file(s *stream) string {
	if s.path != "" {
		return s.path
	}
	stdout, stderr := outputFiles(r.store.path(outputsDir, r.a.Key))
	if s == &r.err {
		return stderr
	}
	return stdout
}

var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// copy hands on what is new in the file.
func (s *stream) copy(path string) {
	if s.broken != nil {
		return
	}
	info, err := os.Lstat(path)
	if err == nil && info.Mode().IsRegular() && info.Size() <= s.at {
		s.unread = nil
		return
	}
	var f *os.File
	if err == nil {
		f, err = openSame(path, info)
	}
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

// openSame opens a file that was looked at. Jobs of another user can put a link there,
// to what only this process may read.
func openSame(path string, info fs.FileInfo) (*os.File, error) {
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	now, err := f.Stat()
	if err == nil && !os.SameFile(info, now) {
		err = fmt.Errorf("%s was replaced", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// copy hands on what is new of both outputs.
func (r *run) copy() {
	for _, s := range []*stream{&r.out, &r.err} {
		if s.w != nil {
			s.copy(r.file(s))
		}
	}
}
