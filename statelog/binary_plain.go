package statelog

import (
	"encoding/binary"
	"time"
)

// plain are the parts of nearly all records of a large run: intents, and outcomes
// of attempts that just succeeded.
const plain = hasTime | hasTask | hasInstance | hasAttempt | hasStart | isFinal

// unmarshalPlain decodes a record that has no other parts, in half the time that
// it takes to look out for all that there may be. It reports false, and means
// nothing by it, if data is anything else.
func (rec *Record) unmarshalPlain(data []byte) bool {
	if len(data) < 2 || data[0]>>4 != BinaryVersion || presence(data[1])&^plain != 0 {
		return false
	}
	has, kind := presence(data[1]), Kind(data[0]&0xf)
	if !known(kinds, kind) {
		return false
	}
	*rec = Record{Seq: rec.Seq, Kind: kind}
	b := data[2:]
	var base int64
	if has&hasTime != 0 {
		if len(b) < 8 {
			return false
		}
		base = int64(binary.LittleEndian.Uint64(b))
		rec.Time = time.Unix(0, base)
		b = b[8:]
	}
	n, good := 0, true
	if has&hasTask != 0 {
		rec.Task, n = smallVarint(b)
		b, good = b[n:], n > 0
	}
	if has&hasInstance != 0 {
		rec.Instance, n = smallVarint(b)
		b, good = b[n:], good && n > 0
	}
	if has&hasAttempt != 0 {
		rec.Attempt, n = smallVarint(b)
		b, good = b[n:], good && n > 0
	}
	if has&hasStart != 0 {
		ago, n := binary.Varint(b)
		rec.Start = time.Unix(0, base-ago)
		b, good = b[max(n, 0):], good && n > 0
	}
	if has&isFinal != 0 {
		rec.Delay = final
	}
	return good && len(b) == 0
}

// smallVarint decodes a varint of at most four bytes, and returns its length, or
// 0 if b does not begin with one.
func smallVarint(b []byte) (v, n int) {
	var u uint
	for n < 4 && n < len(b) {
		c := b[n]
		u |= uint(c&0x7f) << (7 * n)
		n++
		if c < 0x80 {
			return int(u>>1) ^ -int(u&1), n
		}
	}
	return 0, 0
}
