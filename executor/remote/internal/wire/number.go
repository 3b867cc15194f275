package wire

import (
	"math"
	"strconv"
	"strings"
	"time"
)

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
