package wire

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// A scanner reads JSON as in RFC 8259. What is wrong is kept, the first of it, and
// ends the text: so only loops need to look.
type scanner struct {
	data    []byte
	at      int
	depth   int // levels entered
	lenient bool
	shared  string // data, if texts are to be parts of it
	err     *BadError
}

// mostShared is how much memory a text may keep that is a part of it.
const mostShared = 4 << 10

func (s *scanner) fail(field, text string) {
	if s.err == nil {
		s.err = bad(field, text)
	}
	s.at = len(s.data)
}

func (s *scanner) space() {
	for s.at < len(s.data) {
		if c := s.data[s.at]; c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return
		}
		s.at++
	}
}

func (s *scanner) peek() byte {
	if s.at < len(s.data) {
		return s.data[s.at]
	}
	return 0
}

// enter reads the beginning of an object or a list.
func (s *scanner) enter(open byte, field, what string) bool {
	if s.space(); s.peek() != open {
		s.fail(field, "this must be "+what)
		return false
	}
	if s.depth++; s.depth > maxDepth {
		s.fail("", "it is nested too deeply")
		return false
	}
	s.at++
	return true
}

// next reports whether there is a further member or element, after what is between.
func (s *scanner) next(end byte, first bool) bool {
	s.space()
	switch c := s.peek(); {
	case s.err != nil:
		return false
	case c == end:
		s.at++
		s.depth--
		return false
	case first:
		return true
	case c != ',':
		s.syntax()
		return false
	}
	s.at++
	s.space()
	if s.peek() == end {
		s.syntax()
	}
	return s.err == nil
}

// syntax says that the text is not JSON where the scanner is.
func (s *scanner) syntax() {
	if s.err != nil {
		return
	}
	if s.at >= len(s.data) {
		s.fail("", "this is not JSON: it ends too early")
		return
	}
	r, _ := utf8.DecodeRune(s.data[s.at:])
	s.fail("", "this is not JSON: byte "+strconv.Itoa(s.at)+" is "+strconv.QuoteRune(r))
}

// end checks that nothing follows.
func (s *scanner) end() error {
	if s.space(); s.err == nil && s.at < len(s.data) {
		s.syntax()
	}
	if s.err != nil {
		return s.err
	}
	return nil
}

// name reads the name of a member and the colon. It is not to be kept.
func (s *scanner) name() []byte {
	if s.peek() != '"' {
		s.syntax()
		return nil
	}
	name := s.bytes("")
	if s.space(); s.peek() != ':' {
		s.syntax()
		return nil
	}
	s.at++
	s.space()
	return name
}

// object reads an object and has f read the value of each member.
func (s *scanner) object(field string, f func(name []byte)) {
	if !s.enter('{', field, "an object") {
		return
	}
	for first := true; s.next('}', first); first = false {
		if name := s.name(); s.err == nil {
			f(name)
		}
	}
}

// unknown is for a member that is not known.
func (s *scanner) unknown(field string, name []byte) {
	if s.lenient {
		s.skip()
		return
	}
	s.fail(field, "unknown member "+shorten(string(name)))
}

// once notes that the member of that number is there.
func (s *scanner) once(seen *uint32, i int, field string) {
	if *seen&(1<<i) != 0 && !s.lenient {
		s.fail(field, "this member is there twice")
	}
	*seen |= 1 << i
}

// bytes reads a string. What it returns may be part of the text.
func (s *scanner) bytes(field string) []byte {
	if s.space(); s.peek() != '"' {
		s.fail(field, "this must be a string")
		return nil
	}
	start := s.at + 1
	rest := s.data[start:]
	ascii := byte(0)
	for i, c := range rest {
		switch {
		case c == '"':
			s.at = start + i + 1
			if b := rest[:i:i]; ascii < utf8.RuneSelf || utf8.Valid(b) {
				return b
			}
			s.fail(field, "this is not UTF-8")
			return nil
		case c == '\\':
			s.at = start + i
			return s.escaped(field, bytes.Clone(rest[:i]))
		case c < ' ':
			s.at = start + i
			s.syntax()
			return nil
		}
		ascii |= c
	}
	s.at = len(s.data)
	s.syntax()
	return nil
}

// escaped goes on with a string at its first escape.
func (s *scanner) escaped(field string, b []byte) []byte {
	for s.at < len(s.data) {
		switch c := s.data[s.at]; {
		case c == '"':
			s.at++
			if !utf8.Valid(b) {
				s.fail(field, "this is not UTF-8")
			}
			return b
		case c == '\\':
			b = s.escape(b)
		case c < ' ':
			s.syntax()
		default:
			b = append(b, c)
			s.at++
		}
	}
	s.syntax()
	return nil
}

func (s *scanner) escape(b []byte) []byte {
	const letters, meanings = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	s.at++
	if i := strings.IndexByte(letters, s.peek()); i >= 0 && s.at < len(s.data) {
		s.at++
		return append(b, meanings[i])
	}
	r := s.unit()
	if utf16.IsSurrogate(r) {
		low := rune(utf8.RuneError)
		if bytes.HasPrefix(s.data[s.at:], []byte(`\u`)) {
			s.at++
			low = s.unit()
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			s.syntax()
		}
	}
	return utf8.AppendRune(b, r)
}

// unit reads the rest of an escape \uXXXX, from the u.
func (s *scanner) unit() rune {
	const length = 5
	if s.peek() == 'u' && s.at+length <= len(s.data) {
		digits := string(s.data[s.at+1 : s.at+length])
		// In this base ParseUint takes neither a sign nor underscores.
		if v, err := strconv.ParseUint(digits, 16, 32); err == nil {
			s.at += length
			return rune(v)
		}
	}
	s.syntax()
	return utf8.RuneError
}

func (s *scanner) text(field string) string {
	b := s.bytes(field)
	// One without escapes ends right before its quote.
	if end := s.at - 1; s.shared != "" && s.err == nil && end >= len(b) &&
		s.shared[end-len(b):end] == string(b) {
		return s.shared[end-len(b) : end]
	}
	return string(b)
}

// number reads a number as it is written.
func (s *scanner) number(field string) []byte {
	s.space()
	if c := s.peek(); c != '-' && (c < '0' || c > '9') {
		s.fail(field, "this must be a number")
		return nil
	}
	start := s.at
	if s.peek() == '-' {
		s.at++
	}
	if s.peek() == '0' {
		s.at++
	} else {
		s.digits()
	}
	if s.peek() == '.' {
		s.at++
		s.digits()
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.at++
		if c := s.peek(); c == '+' || c == '-' {
			s.at++
		}
		s.digits()
	}
	if s.err != nil {
		return nil
	}
	return s.data[start:s.at]
}

func (s *scanner) digits() {
	start := s.at
	for c := s.peek(); '0' <= c && c <= '9'; c = s.peek() {
		s.at++
	}
	if s.at == start {
		s.syntax()
	}
}

func (s *scanner) int(field string) int64 {
	b := s.number(field)
	if b == nil {
		return 0
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		s.fail(field, "this must be a whole number of at most 64 bits")
	}
	return n
}

// size is a number of at least 0.
func (s *scanner) size(field string) int64 {
	n := s.int(field)
	if n < 0 {
		s.fail(field, "this cannot be negative")
		return 0
	}
	return n
}

// count is a size that fits into an int32.
func (s *scanner) count(field string) int {
	n := s.size(field)
	if n > math.MaxInt32 {
		s.fail(field, "this is too large")
		return 0
	}
	return int(n)
}

func (s *scanner) bool(field string) bool {
	s.space()
	for _, w := range [...]string{"true", "false"} {
		if bytes.HasPrefix(s.data[s.at:], []byte(w)) {
			s.at += len(w)
			return w == "true"
		}
	}
	s.fail(field, "this must be true or false")
	return false
}

// seconds reads a duration, exactly if it has at most nine decimals.
func (s *scanner) seconds(field string) time.Duration {
	text := string(s.number(field))
	if text == "" {
		return 0
	}
	whole, fraction, _ := strings.Cut(text, ".")
	if len(fraction) <= 9 && !strings.ContainsAny(text, "eE") {
		n, err := strconv.ParseInt(whole+(fraction + "000000000")[:9], 10, 64)
		if err == nil {
			return time.Duration(n)
		}
	}
	v, err := strconv.ParseFloat(text, 64)
	n := math.RoundToEven(v * 1e9)
	if err != nil || math.Abs(n) >= math.MaxInt64 {
		s.fail(field, "this is too large for a duration")
		return 0
	}
	return time.Duration(n)
}

// list reads a list and has f read each element.
func (s *scanner) list(field string, f func()) {
	if !s.enter('[', field, "a list") {
		return
	}
	for first := true; s.next(']', first); first = false {
		f()
	}
}

func (s *scanner) texts(field string) []string {
	all := make([]string, 0, 4)
	s.list(field, func() { all = append(all, s.text(field)) })
	return all
}

// anything reads any value, in the types of encoding/json, with numbers as they
// are written.
func (s *scanner) anything(field string) any {
	s.space()
	switch c := s.peek(); {
	case c == '{':
		return s.options(field)
	case c == '[':
		l := []any{}
		s.list(field, func() { l = append(l, s.anything(field)) })
		return l
	case c == '"':
		return s.text(field)
	case c == 't' || c == 'f':
		return s.bool(field)
	case c == '-' || c >= '0' && c <= '9':
		return json.Number(s.number(field))
	case bytes.HasPrefix(s.data[s.at:], []byte("null")):
		s.at += len("null")
	default:
		s.syntax()
	}
	return nil
}

func (s *scanner) options(field string) map[string]any {
	m := map[string]any{}
	s.object(field, func(name []byte) {
		key := string(name)
		if _, there := m[key]; there {
			s.fail(field, "the member "+shorten(key)+" is there twice")
			return
		}
		m[key] = s.anything(field)
	})
	return m
}

// skip reads any value.
func (s *scanner) skip() {
	s.space()
	switch c := s.peek(); c {
	case '{':
		s.object("", func([]byte) { s.skip() })
	case '[':
		s.list("", s.skip)
	case '"':
		s.bytes("")
	default:
		s.anything("")
	}
}

// raw reads any value and returns its text.
func (s *scanner) raw() []byte {
	s.space()
	start := s.at
	if s.skip(); s.err != nil {
		return nil
	}
	return s.data[start:s.at]
}
