package redislog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/daggy-go/daggy/statelog"
)

// Batches are drawn in FORMAT.md.
const (
	batchVersion = 1
	batchHeader  = 5
	// maxBatch is the largest batch in bytes: servers take texts of up to 512 MiB
	// unless they are told otherwise.
	maxBatch = 500 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A place is where in a run a batch is. It is the batch's ID in the stream.
type place struct {
	last  uint64 // number of the last record
	count uint64
}

func (p place) first() uint64  { return p.last - p.count + 1 }
func (p place) String() string { return fmt.Sprintf("%d-%d", p.last, p.count) }

func parsePlace(id string) (place, error) {
	last, count, ok := strings.Cut(id, "-")
	if !ok {
		return place{}, fmt.Errorf("%q is no place", id)
	}
	var p place
	var err error
	if p.last, err = strconv.ParseUint(last, 10, 64); err != nil {
		return place{}, err
	}
	if p.count, err = strconv.ParseUint(count, 10, 64); err != nil {
		return place{}, err
	}
	if p.count == 0 || p.count > p.last {
		return place{}, fmt.Errorf("%q is no place", id)
	}
	return p, nil
}

// appendBatch appends the batch of recs to dst.
func appendBatch(dst []byte, run string, at place, recs []statelog.Record) ([]byte, error) {
	dst = append(dst, batchVersion, 0, 0, 0, 0)
	var one []byte
	var err error
	for i := range recs {
		if one, err = recs[i].AppendBinary(one[:0]); err != nil {
			return nil, err
		}
		dst = binary.AppendUvarint(dst, uint64(len(one)))
		dst = append(dst, one...)
		if len(dst) > maxBatch {
			return nil, fmt.Errorf("record %d of %d makes more than %d bytes of them",
				i+1, len(recs), maxBatch)
		}
	}
	binary.LittleEndian.PutUint32(dst[1:], sumOf(run, at, dst[batchHeader:]))
	return dst, nil
}

// sumOf covers where a batch belongs too, so that it counts nowhere else.
func sumOf(run string, at place, records []byte) uint32 {
	where := append([]byte(run), 0)
	where = binary.LittleEndian.AppendUint64(where, at.last)
	where = binary.LittleEndian.AppendUint64(where, at.count)
	return crc32.Update(crc32.Checksum(where, castagnoli), castagnoli, records)
}

var errShort = errors.New("it ends in the middle of a record")

// decodeBatch calls yield with the records of a batch after the given number
// until yield returns false. It reports whether yield never did.
func decodeBatch(
	run string, at place, data string, after uint64, yield func(statelog.Record) bool,
) (more bool, err error) {
	b := []byte(data)
	switch {
	case len(b) < batchHeader:
		return false, errShort
	case b[0] != batchVersion:
		return false, fmt.Errorf("it has version %d and this library knows %d", b[0], batchVersion)
	case binary.LittleEndian.Uint32(b[1:]) != sumOf(run, at, b[batchHeader:]):
		return false, errors.New("the checksum does not match")
	}
	b = b[batchHeader:]
	var decoder statelog.Decoder
	for seq := at.first(); seq <= at.last; seq++ {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return false, errShort
		}
		data := b[n : n+int(size)]
		b = b[n+int(size):]
		if seq <= after {
			continue
		}
		rec, err := decoder.Decode(data)
		if err != nil {
			return false, err
		}
		rec.Seq = seq
		if !yield(*rec) {
			return false, nil
		}
	}
	if len(b) > 0 {
		return false, fmt.Errorf("%d bytes follow the last record", len(b))
	}
	return true, nil
}
