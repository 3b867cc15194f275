package filelog

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/daggy-go/daggy/statelog"
)

// Version is the version of the format of the files. FORMAT.md draws it.
const Version = 1

// segmentHead is the length of the header of a segment.
const segmentHead = 8 + 4 + 4 + 8 + 8 + 8 + 8 + 4

const segmentMagic = "daggylog"

// A header starts a segment.
type header struct {
	salt   salt
	number uint64
	// first is the number of the first commit.
	first uint64
	// The segment before was number prev and is valid up to prevEnd: what there is
	// beyond, and what there is between the two numbers, was never acknowledged.
	// prev is 0 for the first segment.
	prev, prevEnd uint64
}

func (h header) appendHeader(b []byte) []byte {
	start := len(b)
	b = append(b, segmentMagic...)
	b = binary.LittleEndian.AppendUint32(b, Version)
	b = binary.LittleEndian.AppendUint32(b, uint32(h.salt))
	b = binary.LittleEndian.AppendUint64(b, h.number)
	b = binary.LittleEndian.AppendUint64(b, h.first)
	b = binary.LittleEndian.AppendUint64(b, h.prev)
	b = binary.LittleEndian.AppendUint64(b, h.prevEnd)
	return binary.LittleEndian.AppendUint32(b, salt(0).sum(b[start:]))
}

// A VersionError says that a file was written by a newer library. It is left
// alone.
type VersionError struct {
	Path string
	// Version of the file, and the newest that this library knows.
	Version, Known int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("filelog: %s has version %d of the format, this library knows up to %d",
		e.Path, e.Version, e.Known)
}

// parseHeader reads the header of the file at path from b, which may be short.
func parseHeader(path string, b []byte) (header, error) {
	damaged := func(off int64, why string) error {
		return &statelog.CorruptError{Path: path, Offset: off, Err: errors.New(why)}
	}
	if len(b) < 12 {
		return header{}, damaged(int64(len(b)), "the header is cut short")
	}
	if string(b[:8]) != segmentMagic {
		return header{}, damaged(0, "it is not a segment of a log")
	}
	switch v := binary.LittleEndian.Uint32(b[8:]); {
	case v == 0:
		return header{}, damaged(8, "there is no version 0")
	case v > Version:
		return header{}, &VersionError{Path: path, Version: int(v), Known: Version}
	}
	if len(b) < segmentHead {
		return header{}, damaged(int64(len(b)), "the header is cut short")
	}
	sum := binary.LittleEndian.Uint32(b[segmentHead-4:])
	if salt(0).sum(b[:segmentHead-4]) != sum {
		return header{}, damaged(12, "the header does not match its checksum")
	}
	return header{
		salt:    salt(binary.LittleEndian.Uint32(b[12:])),
		number:  binary.LittleEndian.Uint64(b[16:]),
		first:   binary.LittleEndian.Uint64(b[24:]),
		prev:    binary.LittleEndian.Uint64(b[32:]),
		prevEnd: binary.LittleEndian.Uint64(b[40:]),
	}, nil
}

// A segment is one of the files that have the records.
type segment struct {
	header
	file file
	// end is where what is known durable ends. Read by the committer and under
	// the log's mutex.
	end int64
	// size of the file: what is beyond end is room, see widen. Of who commits.
	size int64
	// poisoned: a write or a sync of it failed so that nobody knows what is
	// beyond end, or whether the next segment is there. Nothing is ever written to
	// it again. Like end.
	poisoned bool
	// known has the runs that are introduced.
	known map[uint64]bool

	// readers keep the file. retired: it goes with the last of them. Guarded by
	// the log's mutex.
	readers int
	retired bool
}

// roomSize is how much room is made at a time.
const roomSize = 64 << 10

var zeros [roomSize]byte

// widen notes that the file has been written up to end, and makes room behind that
// if there is none left: zeros, up to most. A commit that goes where the file system
// has blocks for it already takes one write to the disk; where it makes the file
// longer, a second one or a commit of the file system's own journal. The sync of the
// commit is the room's too. Without room nothing is wrong.
func (s *segment) widen(end, most int64) {
	if end <= s.size {
		return
	}
	s.size = end
	if n := min(roomSize, most-end); n > 0 {
		written, _ := s.file.WriteAt(zeros[:n], end)
		s.size += int64(written)
	}
}

// trim gives back the room.
func (s *segment) trim() error {
	if s.size == s.end {
		return nil
	}
	s.size = s.end
	return s.file.Truncate(s.end)
}

func segmentName(number uint64) string { return fmt.Sprintf("%08d.seg", number) }

func (s *segment) name() string { return segmentName(s.number) }
