package wire

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A writer appends members of an object. The first has no comma before it.
type writer struct {
	b    []byte
	bare bool // nothing is in the object yet
}

func (w *writer) open() {
	w.b = append(w.b, '{')
	w.bare = true
}

func (w *writer) close() {
	w.b = append(w.b, '}')
	w.bare = false
}

// name begins a member. Names are plain, so that they need no escapes.
func (w *writer) name(name string) {
	if !w.bare {
		w.b = append(w.b, ',')
	}
	w.bare = false
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

// text writes a member unless it is "".
func (w *writer) text(name, value string) {
	if value != "" {
		w.name(name)
		w.b = appendString(w.b, value)
	}
}

// int writes a member unless it is 0.
func (w *writer) int(name string, value int64) {
	if value != 0 {
		w.name(name)
		w.b = strconv.AppendInt(w.b, value, 10)
	}
}

func (w *writer) bool(name string, value bool) {
	if value {
		w.name(name)
		w.b = append(w.b, "true"...)
	}
}

func (w *writer) seconds(name string, d time.Duration) {
	if d != 0 {
		w.name(name)
		w.b = appendSeconds(w.b, d)
	}
}

// texts writes a list unless it is nil.
func (w *writer) texts(name string, values []string) {
	if values == nil {
		return
	}
	w.name(name)
	w.b = append(w.b, '[')
	for i, v := range values {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = appendString(w.b, v)
	}
	w.b = append(w.b, ']')
}

// appendString appends s in quotes. What is not UTF-8 is replaced: callers that
// must not lose anything check before.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != '\x7f' {
				i++
				continue
			}
			b = append(b, s[start:i]...)
			b = appendEscape(b, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		// These two end lines, for some readers.
		if r == utf8.RuneError && size == 1 || r == '\u2028' || r == '\u2029' {
			b = append(b, s[start:i]...)
			b = appendUnit(b, r)
			start = i + size
		}
		i += size
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\t':
		return append(b, '\\', 't')
	}
	return appendUnit(b, rune(c))
}

func appendUnit(b []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

// appendSeconds appends d as a number of seconds, exactly.
func appendSeconds(b []byte, d time.Duration) []byte {
	nanos := uint64(d)
	if d < 0 {
		b = append(b, '-')
		nanos = -nanos // the smallest duration has no negative
	}
	b = strconv.AppendUint(b, nanos/1e9, 10)
	if nanos %= 1e9; nanos != 0 {
		digits := strconv.FormatUint(nanos+1e9, 10)[1:]
		b = append(b, '.')
		b = append(b, strings.TrimRight(digits, "0")...)
	}
	return b
}
