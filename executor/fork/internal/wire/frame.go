package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Version of what is said over the socket.
const Version = 2

// MaxFrame bounds a frame. Linux lets the arguments and the environment of a
// command have 6 MiB at most.
const MaxFrame = 8 << 20

// ErrTooLarge says that something does not fit into a frame.
var ErrTooLarge = errors.New("more than fits into a frame")

// A Kind says what a frame means.
type Kind byte

// The kinds of frames. An engine sends the first ones, a supervisor the others.
const (
	Run    Kind = 1 + iota // a [Start]: start it, or attach to it
	Attach                 // a key: attach to it, and start nothing
	Close                  // a [Stop]: whatever it is, let it end, and never start
	Halt                   // a [Stop] without a key, of a call that was made
	Leave                  // nothing: whatever the call is about, tell no more of it
	Forget                 // keys: their outcomes are recorded

	Running   // a [Status]: it now runs
	Output    // a [Chunk] of output
	Grown     // a [Growth] of output that is in a file
	Ended     // an [Outcome]
	Refused   // a [Failure]: nothing runs for the call
	Forgotten // nothing: what was to be forgotten is
	kinds
)

// A Frame is one message.
type Frame struct {
	Kind Kind
	Call uint64
	Body []byte
}

// header is the length of what follows it, so that a frame can be skipped over.
const header = 4

// AppendFrame appends a frame to b. The body has to fit, see [MaxFrame].
func AppendFrame(b []byte, f Frame) []byte {
	at := len(b)
	b = append(b, 0, 0, 0, 0, byte(f.Kind))
	b = AppendUint(b, f.Call)
	b = append(b, f.Body...)
	binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-header))
	return b
}

// ReadFrame reads a frame into buf, which it grows as needed and returns. The
// frame is a part of it.
func ReadFrame(r io.Reader, buf []byte) (Frame, []byte, error) {
	var size [header]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return Frame{}, buf, err
	}
	n := int(binary.LittleEndian.Uint32(size[:]))
	if n > MaxFrame {
		return Frame{}, buf, fmt.Errorf("a frame of %d bytes: %w", n, ErrTooLarge)
	}
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := io.ReadFull(r, buf); err != nil {
		return Frame{}, buf, fmt.Errorf("in a frame: %w", noEOF(err))
	}
	f, err := decodeFrame(buf)
	return f, buf, err
}

func decodeFrame(b []byte) (Frame, error) {
	d := NewDecoder(b)
	f := Frame{Kind: Kind(d.Byte()), Call: d.Uint()}
	if d.bad || f.Kind == 0 || f.Kind >= kinds {
		return Frame{}, fmt.Errorf("frame of kind %d: %w", f.Kind, ErrMalformed)
	}
	f.Body = d.rest
	return f, nil
}

// noEOF is for where the end comes too early.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
