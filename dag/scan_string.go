package dag

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// string reads a string. What it returns may be part of the text.
func (s *scanner) string() []byte {
	start := s.at + 1
	for at := start; at < len(s.data); at++ {
		switch c := s.data[at]; {
		case c == '"':
			s.at = at + 1
			return s.data[start:at:at]
		case c == '\\':
			return s.escaped(start, at)
		case c < ' ':
			s.at = at
			s.wreck(at, fmt.Sprintf("a string cannot hold the control character %U", c),
				`write it as an escape, such as \n`)
			return nil
		}
	}
	s.wreck(s.at, "the string that starts here does not end", "")
	return nil
}

// escaped goes on reading a string where the first escape is.
func (s *scanner) escaped(start, at int) []byte {
	b := slices.Clone(s.data[start:at])
	for s.at = at; s.at < len(s.data); {
		switch c := s.data[s.at]; {
		case c == '"':
			s.at++
			return b
		case c == '\\':
			b = s.escape(b)
		case c < ' ':
			s.wreck(s.at, fmt.Sprintf("a string cannot hold the control character %U", c),
				`write it as an escape, such as \n`)
		default:
			b = append(b, c)
			s.at++
		}
	}
	s.wreck(start-1, "the string that starts here does not end", "")
	return nil
}

// escape reads one escape and appends what it stands for.
func (s *scanner) escape(b []byte) []byte {
	const letters, meanings = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	s.at++
	c := s.peek()
	if i := bytes.IndexByte([]byte(letters), c); i >= 0 {
		s.at++
		return append(b, meanings[i])
	}
	if c != 'u' {
		s.wreck(s.at-1, "the escape \\ and "+s.here()+" means nothing", `a backslash is written \\`)
		return b
	}
	at := s.at - 1
	r := s.hex()
	if utf16.IsSurrogate(r) {
		if bytes.HasPrefix(s.data[s.at:], []byte(`\u`)) {
			s.at++
			r = utf16.DecodeRune(r, s.hex())
		} else {
			r = utf8.RuneError
		}
		if r == utf8.RuneError {
			s.wreck(at, "half of a surrogate pair is no character", "")
		}
	}
	return utf8.AppendRune(b, r)
}

// hex reads the rest of \uXXXX, from the u.
func (s *scanner) hex() rune {
	if s.at+5 <= len(s.data) {
		// In this base ParseUint takes neither a sign nor underscores.
		if v, err := strconv.ParseUint(string(s.data[s.at+1:s.at+5]), 16, 32); err == nil {
			s.at += 5
			return rune(v)
		}
	}
	s.expected("u and four hexadecimal digits")
	return utf8.RuneError
}

// invalidUTF8 returns the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(b []byte) int {
	if utf8.Valid(b) {
		return -1
	}
	at := 0
	for {
		r, size := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
}
