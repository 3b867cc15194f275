package statelog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// near reports whether nanoseconds since 1970 can tell the time: it is after 1678
// and before 2262.
func near(t time.Time) bool {
	const seconds = math.MaxInt64 / int64(time.Second)
	s := t.Unix()
	return -seconds < s && s < seconds
}

// appendNear appends how long a near time is before base. The difference may
// wrap around, and wraps back when it is decoded.
func appendNear(b []byte, base int64, t time.Time) []byte {
	return binary.AppendVarint(b, base-t.UnixNano())
}

// appendFar appends any time.
func appendFar(b []byte, t time.Time) []byte {
	b = binary.AppendVarint(b, t.Unix())
	return binary.AppendUvarint(b, uint64(t.Nanosecond()))
}

func appendText[T ~string | ~[]byte](b []byte, text T) []byte {
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

func appendTexts(b []byte, texts []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(texts)))
	for _, text := range texts {
		b = appendText(b, text)
	}
	return b
}

// appendFlags appends one byte, the first flag in its lowest bit.
func appendFlags(b []byte, flags ...bool) []byte {
	var all byte
	for i, flag := range flags {
		if flag {
			all |= 1 << i
		}
	}
	return append(b, all)
}

// A decoder takes parts off the front of b, until the first error. After that it
// returns zeros.
type decoder struct {
	b    []byte
	err  error
	node string // the record's, which is its result's as a rule
}

var errShort = errors.New("it is cut short")

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
	d.b = nil
}

func (d *decoder) short() {
	if d.err == nil {
		d.err = errShort
	}
	d.b = nil
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.short()
		return 0
	}
	first := d.b[0]
	d.b = d.b[1:]
	return first
}

func (d *decoder) uint64() uint64 {
	if len(d.b) < 8 {
		d.short()
		return 0
	}
	v := binary.LittleEndian.Uint64(d.b)
	d.b = d.b[8:]
	return v
}

func (d *decoder) uvarint() uint64 {
	if len(d.b) > 0 && d.b[0] < 0x80 {
		v := uint64(d.b[0])
		d.b = d.b[1:]
		return v
	}
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.short()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	u := d.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (d *decoder) duration() time.Duration { return time.Duration(d.varint()) }

// int refuses what an int of this machine cannot hold.
func (d *decoder) int() int {
	v := d.varint()
	if int64(int(v)) != v {
		d.fail("the number %d is too large for this machine", v)
		return 0
	}
	return int(v)
}

func (d *decoder) near(base int64) time.Time { return time.Unix(0, base-d.varint()) }

func (d *decoder) far() time.Time {
	seconds, ns := d.varint(), d.uvarint()
	if ns >= uint64(time.Second) {
		d.fail("a time has %d nanoseconds", ns)
	}
	return time.Unix(seconds, int64(ns))
}

// bytes returns what is next without copying it.
func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.short()
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

// text returns the next text. like is what it may well be: then nothing is
// allocated.
func (d *decoder) text(like string) string {
	b := d.bytes()
	if string(b) == like {
		return like
	}
	return string(b)
}

// count returns how many things follow that take size bytes at least, so that
// nobody allocates for more than there can be.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.b)/size) {
		d.short()
		return 0
	}
	return int(n)
}

func (d *decoder) texts() []string {
	n := d.count(1)
	if n == 0 {
		return nil
	}
	all := make([]string, n)
	for i := range all {
		all[i] = d.text("")
	}
	return all
}

// flags returns the flags of a byte, of which n are known.
func (d *decoder) flags(n int) byte {
	all := d.byte()
	if all>>n != 0 {
		d.fail("there are flags %08b, of which %d are known", all, n)
		return 0
	}
	return all
}
