package wire

import (
	"bytes"
	"encoding/json"
)

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
