package filelog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/daggy-go/daggy/statelog"
)

// maxRecord is the largest record that is kept among the others. One that is
// larger, because of a definition or an output, has a file of its own beside the
// segments, so that whoever opens the log need not read it.
const maxRecord = 64 << 10

// sideHead is the length of what comes before the record in its file: the magic,
// the version, the checksum and the length.
const sideHead = 8 + 4 + 4 + 8

const sideMagic = "daggyrec"

// A side says which file has a record.
type side struct {
	number uint64
	size   uint64 // of the record
	sum    uint32 // of the record
}

func (s side) append(b []byte) []byte {
	b = binary.AppendUvarint(b, s.number)
	b = binary.AppendUvarint(b, s.size)
	return binary.LittleEndian.AppendUint32(b, s.sum)
}

func (c *cursor) side() side {
	s := side{number: c.uvarint(), size: c.uvarint()}
	if b := c.take(4); b != nil {
		s.sum = binary.LittleEndian.Uint32(b)
	}
	return s
}

// sides returns the numbers of the side files that the entry refers to.
func (e *entry) sides() ([]uint64, error) {
	if e.flags&withSides == 0 {
		return nil, nil
	}
	var numbers []uint64
	c := cursor{b: e.payload}
	for range e.count {
		if n := c.uvarint(); n > 0 {
			c.take(n)
		} else {
			numbers = append(numbers, c.side().number)
		}
	}
	if c.bad || len(c.b) > 0 {
		return nil, errEntry
	}
	return numbers, nil
}

func sideName(number uint64) string { return fmt.Sprintf("%08d.rec", number) }

// writeSide writes a record to a file of its own and makes it durable.
func writeSide(fs fileSystem, number uint64, record []byte) (side, error) {
	s := side{number: number, size: uint64(len(record)), sum: salt(0).sum(record)}
	head := append(make([]byte, 0, sideHead), sideMagic...)
	head = binary.LittleEndian.AppendUint32(head, Version)
	head = binary.LittleEndian.AppendUint32(head, s.sum)
	head = binary.LittleEndian.AppendUint64(head, s.size)
	name := sideName(number)
	f, err := fs.Create(name)
	if err != nil {
		return side{}, err
	}
	_, err = f.WriteAt(head, 0)
	if err == nil {
		_, err = f.WriteAt(record, sideHead)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = fs.SyncDir()
	}
	if err != nil {
		// Nothing refers to it; Open removes it if this fails.
		_ = fs.Remove(name)
		return side{}, fmt.Errorf("write %s: %w", name, err)
	}
	return s, nil
}

// readSide returns the record that the file has.
func (l *Log) readSide(s side, seq uint64) ([]byte, error) {
	name := sideName(s.number)
	damaged := func(off int64, why string) error {
		return &statelog.CorruptError{
			Path: l.path(name), Offset: off, Seq: seq, Err: errors.New(why),
		}
	}
	f, err := l.fs.Open(name)
	if err != nil {
		return nil, &statelog.CorruptError{Path: l.path(name), Offset: -1, Seq: seq, Err: err}
	}
	defer f.Close() //nolint:errcheck // it was only read
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if uint64(size) != sideHead+s.size {
		return nil, damaged(size, "it has not the length that the record has")
	}
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	head, record := b[:sideHead], b[sideHead:]
	switch {
	case string(head[:8]) != sideMagic:
		return nil, damaged(0, "it is not a file of a record")
	case binary.LittleEndian.Uint32(head[8:]) != Version:
		return nil, damaged(8, "it is of another version than its log")
	case binary.LittleEndian.Uint32(head[12:]) != s.sum,
		binary.LittleEndian.Uint64(head[16:]) != s.size:
		return nil, damaged(12, "it is the file of another record")
	case salt(0).sum(record) != s.sum:
		return nil, damaged(sideHead, "the record does not match its checksum")
	}
	return record, nil
}
