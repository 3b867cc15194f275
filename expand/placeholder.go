package expand

import "strings"

// A placeholder is where {{NAME}} stands in a string.
type placeholder struct {
	start, end int // of the braces: s[start:end] is "{{NAME}}"
	name       string
	escaped    bool // a backslash stands right before start
}

// findPlaceholder returns the first placeholder in s that starts at from or
// later, escaped or not.
//
// It is linear in s, also over the calls that walk it: a name holds no brace,
// so what was read in vain is never read again.
func findPlaceholder(s string, from int) (placeholder, bool) {
	for {
		at := strings.Index(s[from:], "{{")
		if at < 0 {
			return placeholder{}, false
		}
		start := from + at
		if name := nameAt(s, start); name != "" {
			escaped := start > 0 && s[start-1] == '\\'
			return placeholder{start, start + len(name) + len("{{}}"), name, escaped}, true
		}
		// One brace on, not two: "{{{A}}" holds a placeholder.
		from = start + 1
	}
}

// nameAt returns the NAME if {{NAME}} stands at s[at:], and else "".
func nameAt(s string, at int) string {
	if !strings.HasPrefix(s[at:], "{{") {
		return ""
	}
	start := at + len("{{")
	end := start
	for end < len(s) && isNameByte(s[end]) {
		end++
	}
	if !strings.HasPrefix(s[end:], "}}") {
		return ""
	}
	return s[start:end]
}

// hasPlaceholder reports whether s is not simply itself.
func hasPlaceholder(s string) bool {
	if strings.IndexByte(s, '{') < 0 {
		return false
	}
	_, found := findPlaceholder(s, 0)
	return found
}

// isName reports whether a placeholder can refer to a parameter of this name.
func isName(s string) bool {
	for i := range len(s) {
		if !isNameByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '_' || c == '-'
}

// escape returns the string that stands for s, whatever braces s holds.
func escape(s string) string {
	p, found := findPlaceholder(s, 0)
	if !found {
		return s
	}
	var b strings.Builder
	at := 0
	for ; found; p, found = findPlaceholder(s, at) {
		b.WriteString(s[at:p.start])
		b.WriteByte('\\')
		b.WriteString(s[p.start:p.end])
		at = p.end
	}
	b.WriteString(s[at:])
	return b.String()
}
