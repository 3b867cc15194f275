package dag

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// An encoder writes definitions.
type encoder struct {
	b     []byte
	name  string // the task that is being written
	depth int    // of options
	found problems
}

func (e *encoder) done() ([]byte, error) {
	if err := e.found.err(); err != nil {
		return nil, err
	}
	return e.b, nil
}

func (e *encoder) problem(field, text, hint string) {
	e.found.add(&Problem{Task: e.name, Field: field, Text: text, Hint: hint})
}

func (e *encoder) raw(s string) { e.b = append(e.b, s...) }

// key writes the name of a member, after a comma unless it is the first.
func (e *encoder) key(name string) {
	if last := e.b[len(e.b)-1]; last != '{' {
		e.b = append(e.b, ',')
	}
	e.string(name, name)
	e.b = append(e.b, ':')
}

const hexDigits = "0123456789abcdef"

// string writes a string. The field is where it stands, for the problem.
func (e *encoder) string(s, field string) {
	e.b = append(e.b, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			continue
		}
		if c >= utf8.RuneSelf {
			if !utf8.ValidString(s[i:]) {
				e.problem(field, "the text is not valid UTF-8, which JSON cannot hold", "")
			}
			// The rest may need escapes still.
			start = e.unusual(s, start, i)
			break
		}
		e.b = append(e.b, s[start:i]...)
		e.escape(c)
		start = i + 1
	}
	e.b = append(e.b, s[start:]...)
	e.b = append(e.b, '"')
}

// unusual goes on with a string from its first byte that is not ASCII.
func (e *encoder) unusual(s string, start, i int) int {
	for ; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			e.b = append(e.b, s[start:i]...)
			e.escape(c)
			start = i + 1
		}
	}
	return start
}

func (e *encoder) escape(c byte) {
	switch c {
	case '"', '\\':
		e.b = append(e.b, '\\', c)
	case '\n':
		e.raw(`\n`)
	case '\t':
		e.raw(`\t`)
	case '\r':
		e.raw(`\r`)
	default:
		e.raw(`\u00`)
		e.b = append(e.b, hexDigits[c>>4], hexDigits[c&15])
	}
}

func (e *encoder) strings(list []string, field string) {
	e.b = append(e.b, '[')
	for i, s := range list {
		if i > 0 {
			e.b = append(e.b, ',')
		}
		e.string(s, field)
	}
	e.b = append(e.b, ']')
}

func (e *encoder) int(v int64) { e.b = strconv.AppendInt(e.b, v, 10) }

func (e *encoder) time(t time.Time) {
	// An offset may have seconds, which RFC 3339 cannot say; UTC has none.
	t = t.UTC()
	if !printableYear(t) {
		e.problem("notBefore", fmt.Sprintf("RFC 3339 has no year %d", t.Year()), "")
	}
	e.b = append(e.b, '"')
	e.b = t.AppendFormat(e.b, time.RFC3339Nano)
	e.b = append(e.b, '"')
}

func (e *encoder) any(v any, field string) {
	if e.depth++; e.depth > maxDepth {
		// It may well hold itself.
		e.problem(field, fmt.Sprintf("the option has more than %d levels", maxDepth), "")
		v = nil
	}
	defer func() { e.depth-- }()
	switch v := v.(type) {
	case string:
		e.string(v, field)
	case map[string]any:
		e.raw("{")
		e.options(v, field)
		e.raw("}")
	case []any:
		e.b = append(e.b, '[')
		for i, element := range v {
			if i > 0 {
				e.b = append(e.b, ',')
			}
			e.any(element, field)
		}
		e.b = append(e.b, ']')
	default:
		b, err := json.Marshal(v)
		if err != nil {
			e.problem(field, "the option cannot be written as JSON: "+err.Error(), "")
			b = []byte("null")
		}
		e.b = append(e.b, b...)
	}
}
