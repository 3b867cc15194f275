package wire

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/daggy-go/daggy/executor"
)

// An Outcome is how an attempt ended, with what it printed. It is told to engines
// and kept in the journal, in the same bytes.
type Outcome struct {
	Result  executor.Result
	Failure *Failure // nil: it ran, and Result says how that ended
	Streams [2]Stream
}

// A Stream is one output of an attempt that is over.
type Stream struct {
	// Size of all of it.
	Size int64
	// Data is all of it, unless it was so much that it is in a file.
	Data []byte
}

// Spilled reports whether the output is in a file.
func (s Stream) Spilled() bool { return s.Size > int64(len(s.Data)) }

// Append appends the outcome to b. The result is JSON, as it has members that
// matter to people and gains some from time to time.
func (o *Outcome) Append(b []byte) ([]byte, error) {
	result, err := json.Marshal(o.Result)
	if err != nil {
		return b, fmt.Errorf("result: %w", err)
	}
	b = AppendString(b, string(result))
	b = AppendBool(b, o.Failure != nil)
	if o.Failure != nil {
		b = o.Failure.append(b)
	}
	for _, s := range o.Streams {
		b = AppendUint(b, uint64(s.Size))
		b = AppendBool(b, s.Spilled())
		if !s.Spilled() {
			b = append(b, s.Data...)
		}
	}
	return b, nil
}

// DecodeOutcome reads what Append has written. The data is not copied.
func DecodeOutcome(b []byte) (Outcome, error) {
	var o Outcome
	d := NewDecoder(b)
	if err := json.Unmarshal(d.Bytes(), &o.Result); err != nil {
		return o, fmt.Errorf("result: %w", ErrMalformed)
	}
	if d.Bool() {
		o.Failure = d.failure()
	}
	for i := range o.Streams {
		s := &o.Streams[i]
		s.Size = d.Size()
		if !d.Bool() {
			s.Data = d.take(s.Size)
		} else if s.Size == 0 {
			d.fail() // nothing needs no file
		}
	}
	return o, d.End()
}

// take returns the next so many bytes.
func (d *Decoder) take(n int64) []byte {
	if n > int64(len(d.rest)) {
		d.fail()
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

// A Failure is an error that keeps its class across processes.
type Failure struct {
	Class      Class
	Permanent  bool
	RetryAfter time.Duration // NotStarted
	// Command, Path, WorkDir and About are those of a command that could not be
	// executed. Command is "" if it was something else.
	Command, Path, WorkDir, About string
	// Text is the cause, for people.
	Text string
	// Errno is the cause, if the system said it. 0: it did not.
	Errno uint32
	// Known is a cause that programs look for.
	Known Known
}

// A Class says what an error promises.
type Class byte

// The classes there are.
const (
	Failed     Class = iota // it failed
	NotStarted              // definitely not started
	Lost                    // nothing runs under the key, nor ever will
	Closed                  // the key never starts
	Unknown                 // the key was never used, and may not be started
	classes
)

// Known are errors that have no number.
type Known byte

// What is known.
const (
	Nothing   Known = iota
	NotFound        // exec.ErrNotFound
	TimeLimit       // executor.ErrTimeLimit
	knowns
)

func (f *Failure) append(b []byte) []byte {
	b = append(b, byte(f.Class), byte(f.Known))
	b = AppendBool(b, f.Permanent)
	b = AppendUint(b, uint64(max(f.RetryAfter, 0)))
	b = AppendUint(b, uint64(f.Errno))
	return AppendStrings(b, []string{f.Command, f.Path, f.WorkDir, f.About, f.Text})
}

func (d *Decoder) failure() *Failure {
	f := &Failure{Class: Class(d.Byte()), Known: Known(d.Byte()), Permanent: d.Bool()}
	f.RetryAfter = time.Duration(d.Size())
	errno := d.Uint()
	f.Errno = uint32(errno)
	texts := d.Strings()
	if f.Class >= classes || f.Known >= knowns || errno != uint64(f.Errno) || len(texts) != 5 {
		d.fail()
		return nil
	}
	f.Command, f.Path, f.WorkDir, f.About, f.Text = texts[0], texts[1], texts[2], texts[3], texts[4]
	return f
}

// AppendFailure appends f to b.
func AppendFailure(b []byte, f *Failure) []byte { return f.append(b) }

// DecodeFailure reads what AppendFailure has written.
func DecodeFailure(b []byte) (*Failure, error) {
	d := NewDecoder(b)
	f := d.failure()
	return f, d.End()
}
