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

// A source takes parts off the front of b, until the first error. After that it
// returns zeros.
type source struct {
	b   []byte
	err error
}

var errShort = errors.New("it is cut short, or a number is too large")

func (s *source) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
	s.b = nil
}

func (s *source) short() {
	if s.err == nil {
		s.err = errShort
	}
	s.b = nil
}

func (s *source) byte() byte {
	if len(s.b) == 0 {
		s.short()
		return 0
	}
	first := s.b[0]
	s.b = s.b[1:]
	return first
}

func (s *source) uint64() uint64 {
	if len(s.b) < 8 {
		s.short()
		return 0
	}
	v := binary.LittleEndian.Uint64(s.b)
	s.b = s.b[8:]
	return v
}

// past is where a part ends that is cut short.
const past = math.MaxInt

// uvarintAt returns the number at b[i:] and where it ends.
func uvarintAt(b []byte, i int) (uint64, int) {
	var v uint64
	for shift := uint(0); i < len(b); shift += 7 {
		c := uint64(b[i])
		i++
		v |= (c & 0x7f) << (shift & 63)
		if c < 0x80 && (shift < 63 || shift == 63 && c < 2) {
			return v, i
		}
	}
	return 0, past
}

func varintAt(b []byte, i int) (int64, int) {
	u, i := uvarintAt(b, i)
	return int64(u>>1) ^ -int64(u&1), i
}

// skip takes what ends at i.
func (s *source) skip(i int) {
	if i > len(s.b) {
		s.short()
		return
	}
	s.b = s.b[i:]
}

func (s *source) uvarint() uint64 {
	v, i := uvarintAt(s.b, 0)
	s.skip(i)
	return v
}

func (s *source) varint() int64 {
	v, i := varintAt(s.b, 0)
	s.skip(i)
	return v
}

func (s *source) duration() time.Duration { return time.Duration(s.varint()) }

func (s *source) int() int { return s.fit(s.varint()) }

// fits reports whether an int of this machine can hold v.
func fits(v int64) bool { return int64(int(v)) == v }

// fit refuses what an int of this machine cannot hold.
func (s *source) fit(v int64) int {
	if !fits(v) {
		s.fail("the number %d is too large for this machine", v)
		return 0
	}
	return int(v)
}

func (s *source) far() time.Time {
	seconds, ns := s.varint(), s.uvarint()
	if ns >= uint64(time.Second) {
		s.fail("a time has %d nanoseconds", ns)
	}
	return time.Unix(seconds, int64(ns))
}

// bytes returns what is next without copying it.
func (s *source) bytes() []byte {
	n := s.uvarint()
	if n > uint64(len(s.b)) {
		s.short()
		return nil
	}
	b := s.b[:n]
	s.b = s.b[n:]
	return b
}

// text returns the next text. like is what it may well be: then nothing is
// allocated.
func (s *source) text(like string) string {
	b := s.bytes()
	if string(b) == like {
		return like
	}
	return string(b)
}

// count returns how many things follow that take size bytes at least, so that
// nobody allocates for more than there can be.
func (s *source) count(size int) int {
	n := s.uvarint()
	if n > uint64(len(s.b)/size) {
		s.short()
		return 0
	}
	return int(n)
}

// repeated returns the next text, which may well be the last one. It only writes
// what changes: a pointer that is written costs much while garbage is collected.
func (s *source) repeated(last *string) string {
	text := s.text(*last)
	if text != *last {
		*last = text
	}
	return text
}

// repeatedTexts returns the next texts, which may well be the last ones.
func (s *source) repeatedTexts(last *[]string) []string {
	n := s.count(1)
	if n == 0 {
		return nil
	}
	if n == len(*last) && s.same(*last) {
		return *last
	}
	all := make([]string, n)
	for i := range all {
		all[i] = s.text("")
	}
	*last = all
	return all
}

// same takes the next texts if they are these.
func (s *source) same(texts []string) bool {
	ahead := *s
	for _, text := range texts {
		if string(ahead.bytes()) != text {
			return false
		}
	}
	*s = ahead
	return s.err == nil
}

// flags returns the flags of a byte, of which n are known.
func (s *source) flags(n int) byte {
	all := s.byte()
	if all>>n != 0 {
		s.fail("there are flags %08b, of which %d are known", all, n)
		return 0
	}
	return all
}
