package wire

import (
	"bytes"
	"strconv"
	"strings"
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

// known returns which of these members is to be read. "": it is none of them, or is
// there already, which is noted in seen.
func (s *scanner) known(name []byte, prefix string, members []string, seen *uint32) string {
	for i, member := range members {
		if string(name) != member {
			continue
		}
		if *seen&(1<<i) != 0 {
			s.fail(prefix+member, "this member is there twice")
			return ""
		}
		*seen |= 1 << i
		return member
	}
	s.unknown(strings.TrimSuffix(prefix, "."), name)
	return ""
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

// list reads a list and has f read each element.
func (s *scanner) list(field string, f func()) {
	if !s.enter('[', field, "a list") {
		return
	}
	for first := true; s.next(']', first); first = false {
		f()
	}
}
