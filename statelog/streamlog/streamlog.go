package streamlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"iter"
	"sync"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/memlog"
)

// ErrBroken says that a Write to the stream failed before, and that therefore
// nothing is added to the log any more.
var ErrBroken = errors.New("streamlog: the stream is broken")

// A Log writes records to a stream when its inner log has them. Make one with
// [New]. It is safe for concurrent use, and calls the writer from one goroutine
// at a time.
type Log struct {
	inner statelog.StateLogger

	// runs keeps the lines of a run in order if engines compete for it. A run has
	// the lock that its ID hashes to, which is held while its records are added
	// and written.
	runs [64]sync.Mutex
	seed maphash.Seed

	buffers sync.Pool // of *[]byte

	// mu guards the fields below and is held while writing.
	mu  sync.Mutex
	w   io.Writer
	err error
}

var (
	_ statelog.StateLogger = (*Log)(nil)
	_ statelog.Immediate   = (*Log)(nil)
)

// New returns a log that keeps records in inner, and writes them to w. A nil
// inner is a new [memlog.Log], which loses them with the process. The writer is
// not closed by anyone here.
func New(w io.Writer, inner statelog.StateLogger) *Log {
	if inner == nil {
		inner = memlog.New()
	}
	return &Log{inner: inner, w: w, seed: maphash.MakeSeed()}
}

// Err returns what the first Write that failed returned. Nil: none did.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Append adds recs to the inner log and then writes them to the stream, see the
// package comment for what happens if that fails. Records that JSON cannot
// express are an error, and nothing is added.
func (l *Log) Append(
	ctx context.Context, run string, after uint64, recs []statelog.Record,
) (uint64, error) {
	buffer := l.buffer()
	defer l.buffers.Put(buffer)
	lines, err := encode((*buffer)[:0], run, after, recs)
	if cap(lines) <= largeBuffer {
		*buffer = lines
	}
	if err != nil {
		return 0, fmt.Errorf("streamlog: append to run %q: %w", run, err)
	}
	own := &l.runs[maphash.String(l.seed, run)%uint64(len(l.runs))]
	own.Lock()
	defer own.Unlock()
	if err := l.Err(); err != nil {
		return 0, fmt.Errorf("%w: append to run %q: %w", ErrBroken, run, err)
	}
	end, err := l.inner.Append(ctx, run, after, recs)
	if err != nil {
		return 0, err
	}
	if err := l.write(lines); err != nil {
		return 0, fmt.Errorf("streamlog: write %d records of run %q: %w: %w",
			len(recs), run, err, statelog.ErrAmbiguous)
	}
	return end, nil
}

// largeBuffer is how many bytes a buffer may have to be used again.
const largeBuffer = 1 << 20

func (l *Log) buffer() *[]byte {
	if b, ok := l.buffers.Get().(*[]byte); ok {
		return b
	}
	return new([]byte)
}

// encode appends a line for every record.
func encode(
	lines []byte, run string, after uint64, recs []statelog.Record,
) ([]byte, error) {
	id, err := json.Marshal(run)
	if err != nil {
		return lines, err
	}
	for i := range recs {
		rec := recs[i]
		rec.Seq = after + uint64(i) + 1
		lines = append(lines, `{"run":`...)
		lines = append(lines, id...)
		brace := len(lines)
		if lines, err = rec.AppendJSON(lines); err != nil {
			return lines, err
		}
		// The run is one more member of the record's own object.
		lines[brace] = ','
		lines = append(lines, '\n')
	}
	return lines, nil
}

// write writes whole lines, or none once a Write has failed.
func (l *Log) write(lines []byte) error {
	if len(lines) == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	n, err := l.w.Write(lines)
	if err == nil && n < len(lines) {
		err = io.ErrShortWrite
	}
	l.err = err
	return err
}

// Read reads from the inner log.
func (l *Log) Read(
	ctx context.Context, run string, after uint64,
) iter.Seq2[statelog.Record, error] {
	return l.inner.Read(ctx, run, after)
}

// Runs asks the inner log.
func (l *Log) Runs(ctx context.Context, q statelog.Query) iter.Seq2[statelog.RunInfo, error] {
	return l.inner.Runs(ctx, q)
}

// Immediate reports false, whatever the inner log is: a Write may wait.
func (l *Log) Immediate() bool { return false }

// Unwrap returns the inner log.
func (l *Log) Unwrap() statelog.StateLogger { return l.inner }
