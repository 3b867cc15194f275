package streamlog

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/daggy-go/daggy/statelog"
)

// MaxLine is how many bytes a line may have that [Decode] reads: a definition of
// 1 GiB, and room for what is around it.
const MaxLine = 1<<30 + 1<<20

// An Entry is a line of a stream.
type Entry struct {
	Run    string
	Record statelog.Record
}

// A LineError says which line of a stream could not be read, from 1.
type LineError struct {
	Line int
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("streamlog: line %d: %v", e.Line, e.Err) }

// Unwrap returns the cause.
func (e *LineError) Unwrap() error { return e.Err }

// Decode yields what a [Log] wrote, line by line. Lines that are empty are passed
// over.
//
// An error is a [*LineError] and the last thing it yields. If the last line is
// not whole, as when its writer died, it is [io.ErrUnexpectedEOF].
func Decode(r io.Reader) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		lines := bufio.NewReaderSize(r, 64<<10)
		for n := 1; ; n++ {
			line, err := readLine(lines, MaxLine)
			if errors.Is(err, io.EOF) {
				return
			}
			var entry Entry
			if err == nil && len(line) > 0 {
				entry, err = decode(line)
			}
			if err != nil {
				yield(Entry{}, &LineError{Line: n, Err: err})
				return
			}
			if len(line) > 0 && !yield(entry, nil) {
				return
			}
		}
	}
}

// readLine returns a line without its end. The error is io.EOF after the last.
func readLine(r *bufio.Reader, most int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
		case len(line) > most:
			return nil, fmt.Errorf("it is longer than %d bytes", most)
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, io.ErrUnexpectedEOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// decode takes the run out of a line, which leaves the record.
func decode(line []byte) (Entry, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return Entry{}, err
	}
	run, ok := members["run"]
	if !ok {
		return Entry{}, errors.New(`there is no member "run"`)
	}
	var entry Entry
	if err := json.Unmarshal(run, &entry.Run); err != nil {
		return Entry{}, err
	}
	delete(members, "run")
	record, err := json.Marshal(members)
	if err != nil {
		return Entry{}, err
	}
	return entry, entry.Record.UnmarshalJSON(record)
}
