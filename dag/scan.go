package dag

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A scanner reads JSON as in RFC 8259 and knows where it is. Anything that is
// not JSON breaks it: it reports that once and is at the end from then on, so
// that only loops need to look. What is wrong otherwise is reported too, and
// left out.
type scanner struct {
	data   []byte
	at     int
	start  int // of the last value
	depth  int // levels that are left
	levels int // levels that are allowed
	broken bool

	// Where the scanner is in the definition, for problems.
	task   string
	prefix string // of field: "job."
	field  string
	sub    []byte // name in an object, nil: none
	index  int    // in a list, -1: none

	found []finding
	more  int
}

// A finding is a problem and the offset where it is.
type finding struct {
	*Problem
	at int
}

// maxDepth bounds even a definition without limits: each level takes some stack.
const maxDepth = 10_000

func newScanner(data []byte, levels int) scanner {
	levels = min(levels, maxDepth)
	return scanner{data: data, depth: levels, levels: levels, index: -1}
}

// report records a problem at an offset.
func (s *scanner) report(at int, text, hint string) {
	if s.full() {
		s.more++
		return
	}
	field := strings.TrimSuffix(s.prefix+s.field, ".")
	if s.sub != nil {
		field += "." + shorten(string(s.sub))
	}
	if s.index >= 0 {
		field += "[" + strconv.Itoa(s.index) + "]"
	}
	p := &Problem{Task: s.task, Field: field, Text: text, Hint: hint}
	s.found = append(s.found, finding{p, at})
}

// full reports whether further problems are only counted.
func (s *scanner) full() bool { return len(s.found) >= maxProblems }

// wreck reports that the text is not JSON and ends the scan.
func (s *scanner) wreck(at int, text, hint string) {
	if !s.broken {
		// The member that was read last has nothing to do with it.
		s.prefix, s.field, s.sub, s.index = "", "", nil, -1
		s.report(at, text, hint)
	}
	s.broken, s.at = true, len(s.data)
}

func (s *scanner) expected(what string) {
	s.wreck(s.at, "expected "+what+", found "+s.here(), "")
}

// here describes what comes next.
func (s *scanner) here() string {
	if s.at >= len(s.data) {
		return "the end of the text"
	}
	r, _ := utf8.DecodeRune(s.data[s.at:])
	return strconv.QuoteRune(r)
}

// err returns all problems, in the order of the text.
func (s *scanner) err() error {
	s.place()
	var all problems
	for _, f := range s.found {
		all.add(f.Problem)
	}
	all.more += s.more
	return all.err()
}

// place sorts what was found and says where it is.
func (s *scanner) place() {
	slices.SortStableFunc(s.found, func(a, b finding) int { return a.at - b.at })
	line, lineStart, at := 1, 0, 0
	for _, f := range s.found {
		part := s.data[at:f.at]
		if n := bytes.Count(part, []byte{'\n'}); n > 0 {
			line += n
			lineStart = at + bytes.LastIndexByte(part, '\n') + 1
		}
		at = f.at
		f.Line, f.Column = line, at-lineStart+1
	}
}

func (s *scanner) space() {
	for s.at < len(s.data) {
		if c := s.data[s.at]; c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return
		}
		s.at++
	}
}

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.data) {
		return s.data[s.at]
	}
	return 0
}

// A kind is a type of JSON value.
type kind byte

const (
	noKind kind = iota
	object
	list
	text
	number
	boolean
	null
)

// kinds by the first byte of the value.
var kinds = [256]kind{
	'{': object, '[': list, '"': text, 't': boolean, 'f': boolean, 'n': null, '-': number,
	'0': number, '1': number, '2': number, '3': number, '4': number,
	'5': number, '6': number, '7': number, '8': number, '9': number,
}

func (k kind) String() string {
	return [...]string{
		"nothing", "an object", "a list", "a string", "a number", "true or false", "null",
	}[k]
}

// kind looks at the next value. If there is none, it breaks the scan.
func (s *scanner) kind() kind {
	s.space()
	s.start = s.at
	k := kinds[s.peek()]
	if k == noKind {
		s.expected("a value")
	}
	return k
}

// want reports whether the next value is of kind k. If not, the value is
// skipped. A null counts as left out, anything else is a problem.
func (s *scanner) want(k kind, what string) bool {
	is := s.kind()
	if is != k {
		s.refuse(is, what)
	}
	return is == k
}

func (s *scanner) refuse(is kind, what string) {
	if is != null && is != noKind {
		s.report(s.start, "this must be "+what+", not "+is.String(), "")
	}
	s.skip()
}

// enter reads the start of an object or list.
func (s *scanner) enter() {
	if s.depth == 0 {
		s.wreck(s.at, fmt.Sprintf("more than %d levels of nesting", s.levels), "")
		return
	}
	s.depth--
	s.at++
}

// A member is one of an object.
type member struct {
	key  []byte // not to be kept
	at   int    // offset of the key
	more bool   // it is not the first
	seen uint32 // which of the known ones there were, for once
}

// next goes to the value of the next member, and reports whether there is one.
func (s *scanner) next(m *member) bool {
	if !s.comma('}', m.more) {
		return false
	}
	if s.peek() != '"' {
		s.expected("the name of a member in quotes")
		return false
	}
	m.at, m.more = s.at, true
	m.key = s.string()
	s.space()
	if s.peek() != ':' {
		s.expected("a colon")
		return false
	}
	s.at++
	s.space()
	return !s.broken
}

// element goes to the next element of a list, and reports whether there is one.
func (s *scanner) element(more bool) bool { return s.comma(']', more) }

// comma reads the comma between members or elements, or the end after them.
func (s *scanner) comma(end byte, more bool) bool {
	s.space()
	switch c := s.peek(); {
	case c == end:
		s.at++
		s.depth++
		return false
	case !more:
		return !s.broken
	case c != ',':
		s.expected("a comma or " + string(end))
		return false
	}
	s.at++
	s.space()
	if s.peek() == end {
		s.wreck(s.at, "a comma with nothing after it", "remove the comma")
	}
	return !s.broken
}

// skip reads a value and drops it.
func (s *scanner) skip() {
	switch s.kind() {
	case object:
		s.enter()
		for m := (member{}); s.next(&m); {
			s.skip()
		}
	case list:
		s.enter()
		for more := false; s.element(more); more = true {
			s.skip()
		}
	case text:
		s.string()
	case number:
		s.number()
	case boolean, null:
		s.word()
	case noKind:
	}
}

// word reads true, false or null.
func (s *scanner) word() bool {
	for _, w := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(s.data[s.at:], []byte(w)) {
			s.at += len(w)
			return w == "true"
		}
	}
	s.expected("a value")
	return false
}

// number reads a number and returns it as it is written.
func (s *scanner) number() []byte {
	start := s.at
	if s.peek() == '-' {
		s.at++
	}
	if s.peek() == '0' {
		s.at++
		if c := s.peek(); '0' <= c && c <= '9' {
			s.wreck(start, "a number cannot start with 0", "remove the 0, or put it in quotes")
			return nil
		}
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
	return s.data[start:s.at]
}

func (s *scanner) digits() {
	start := s.at
	for c := s.peek(); '0' <= c && c <= '9'; c = s.peek() {
		s.at++
	}
	if s.at == start {
		s.expected("a digit")
	}
}
