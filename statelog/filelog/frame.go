package filelog

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// frameHead is the length of what comes before the body of a frame: the body's
// length, the number of the commit, the checksum of the body and that of the
// head.
const frameHead = 4 + 8 + 4 + 4

// maxFrame is the largest body of a frame.
const maxFrame = math.MaxUint32 / 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A salt starts the checksums of a segment. It is drawn for each, so that nothing
// that was copied from another one passes for a frame.
type salt uint32

func (s salt) sum(b []byte) uint32 { return crc32.Update(uint32(s), castagnoli, b) }

// seal fills in the head of the frame that starts b and takes up all of it.
func (s salt) seal(b []byte, number uint64) {
	binary.LittleEndian.PutUint32(b, uint32(len(b)-frameHead))
	binary.LittleEndian.PutUint64(b[4:], number)
	binary.LittleEndian.PutUint32(b[12:], s.sum(b[frameHead:]))
	binary.LittleEndian.PutUint32(b[16:], s.sum(b[:16]))
}

// head returns what the head of a frame says, and false if it is none.
func (s salt) head(b []byte) (size int64, number uint64, sum uint32, ok bool) {
	if s.sum(b[:16]) != binary.LittleEndian.Uint32(b[16:]) {
		return 0, 0, 0, false
	}
	size = int64(binary.LittleEndian.Uint32(b))
	return size, binary.LittleEndian.Uint64(b[4:]), binary.LittleEndian.Uint32(b[12:]),
		size <= maxFrame
}

// What can be wrong with a frame.
var (
	errCut      = errors.New("a commit is cut short")
	errHead     = errors.New("the head of a commit does not match its checksum")
	errBody     = errors.New("a commit does not match its checksum")
	errSequence = errors.New("a commit is missing")
)

// frames reads the frames of a part of a file.
type frames struct {
	file io.ReaderAt
	salt salt
	// off is where the next frame is, end where the part ends.
	off, end int64
	// next is the number that the next frame must have. 0: any.
	next uint64

	// blank: the part ends where there are only zeros, if it does not end before.
	blank bool

	buf []byte // what was read ahead, from off on
	all []byte // what buf is a part of
}

// readAhead is how much is read at once, unless a frame is larger.
const readAhead = 256 << 10

// body returns the body of the next frame, which is valid until the call after,
// and io.EOF at the end. After one of the errors above off is where the damage
// is; any other error is one of reading.
func (fs *frames) body() ([]byte, error) {
	if fs.off == fs.end {
		return nil, io.EOF
	}
	if fs.blank {
		if over, err := fs.restBlank(); over || err != nil {
			return nil, cmp.Or(err, io.EOF)
		}
	}
	if err := fs.fill(frameHead); err != nil {
		return nil, err
	}
	size, number, sum, ok := fs.salt.head(fs.buf)
	if !ok {
		return nil, errHead
	}
	if err := fs.fill(frameHead + size); err != nil {
		return nil, err
	}
	body := fs.buf[frameHead : frameHead+size]
	switch {
	case fs.salt.sum(body) != sum:
		return nil, errBody
	case fs.next != 0 && number != fs.next:
		return nil, fmt.Errorf("%w: number %d is where %d should be", errSequence, number, fs.next)
	}
	fs.next = number + 1
	fs.buf = fs.buf[frameHead+size:]
	fs.off += frameHead + size
	return body, nil
}

// restBlank reports whether there are only zeros from off on.
func (fs *frames) restBlank() (bool, error) {
	head := min(frameHead, fs.end-fs.off)
	if err := fs.fill(head); err != nil || !isBlank(fs.buf[:head]) {
		return false, err
	}
	b := make([]byte, min(readAhead, fs.end-fs.off))
	for off := fs.off; off < fs.end; off += int64(len(b)) {
		b = b[:min(int64(len(b)), fs.end-off)]
		if _, err := fs.file.ReadAt(b, off); err != nil || !isBlank(b) {
			return false, err
		}
	}
	return true, nil
}

// isBlank reports whether there is nothing but zeros.
func isBlank(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// fill reads until there are n bytes from off on.
func (fs *frames) fill(n int64) error {
	if int64(len(fs.buf)) >= n {
		return nil
	}
	if fs.end-fs.off < n {
		return errCut
	}
	want := min(max(n, readAhead), fs.end-fs.off)
	if int64(cap(fs.all)) < want {
		fs.all = make([]byte, want)
	}
	had := copy(fs.all[:want], fs.buf)
	got, err := fs.file.ReadAt(fs.all[had:want], fs.off+int64(had))
	fs.buf = fs.all[:had+got]
	switch {
	case int64(had+got) == want:
		return nil
	case errors.Is(err, io.EOF):
		return errCut
	}
	return err
}

// part has the frames of another part of a file read into the same memory.
func (fs *frames) part(f io.ReaderAt, s salt, off, end int64) {
	fs.file, fs.salt, fs.off, fs.end, fs.next = f, s, off, end, 0
	fs.buf = nil
}
