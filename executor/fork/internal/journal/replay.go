package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// replay reads the file. An unfinished record at its end is cut off; nobody has
// acted on it. Damage anywhere else is an error.
func (j *Journal) replay() error {
	info, err := j.file.Stat()
	if err != nil {
		return err
	}
	head := make([]byte, fileHeader)
	if _, err := j.file.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	version, ok := parseHeader(head)
	if !ok {
		return &CorruptError{j.path(), 0, "this is not the beginning of a journal"}
	}
	if version != Version {
		return &VersionError{j.path(), version, Version}
	}
	r := &reader{file: j.file, end: info.Size()}
	j.size = int64(fileHeader)
	for j.size < r.end {
		size, err := j.next(r)
		if err != nil {
			return err
		}
		if size == 0 {
			j.cut = r.end - j.size
			return j.file.Truncate(j.size)
		}
		j.size += int64(size)
	}
	return nil
}

// next applies the record at j.size and returns its size, 0 if it is unfinished.
func (j *Journal) next(r *reader) (int, error) {
	b, err := r.window(j.size)
	if err != nil {
		return 0, err
	}
	k, body, size, ok := parseRecord(b)
	if !ok {
		return 0, j.unfinished(b, r.end)
	}
	at := extent{j.size + recordHeader + 1, len(body)}
	if err := j.apply(k, body, at); err != nil {
		text := fmt.Sprintf("a record of kind %d with a right checksum: %v", k, err)
		return 0, &CorruptError{j.path(), j.size, text}
	}
	return size, nil
}

// unfinished returns an error if what is left is not just a part of one record.
func (j *Journal) unfinished(b []byte, end int64) error {
	if end-j.size > int64(len(b)) {
		return &CorruptError{j.path(), j.size, "and more than a record follows"}
	}
	for i := 1; i < len(b); i++ {
		if _, _, _, ok := parseRecord(b[i:]); ok {
			text := fmt.Sprintf("and a record that is not follows at %d", j.size+int64(i))
			return &CorruptError{j.path(), j.size, text}
		}
	}
	return nil
}

// reader reads a file in large pieces.
type reader struct {
	file  *os.File
	end   int64
	buf   []byte
	start int64 // of buf, in the file
}

// window returns what is in the file from an offset: a whole record at least, or
// all that there is.
func (r *reader) window(at int64) ([]byte, error) {
	const whole = recordHeader + maxRecord
	want := min(whole, r.end-at)
	if have := r.start + int64(len(r.buf)) - at; have < want {
		r.buf = make([]byte, min(4*maxRecord, r.end-at))
		r.start = at
		if _, err := r.file.ReadAt(r.buf, at); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	b := r.buf[at-r.start:]
	return b[:min(whole, len(b))], nil
}
