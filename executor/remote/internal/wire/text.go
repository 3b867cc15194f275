package wire

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

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

func (s *scanner) texts(field string) []string {
	all := make([]string, 0, 4)
	s.list(field, func() { all = append(all, s.text(field)) })
	return all
}
