package expand

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/shlex"
)

// Split cuts a commandString into words by the quoting rules of a POSIX shell.
// Nothing else of a shell happens: no variables, globs, operators, comments. A
// string without words is an error.
func Split(s string) ([]string, error) {
	words, err := splitWords(s)
	if err == nil && len(words) == 0 {
		return nil, errors.New("it holds no words")
	}
	return words, err
}

func splitWords(s string) ([]string, error) {
	if !strings.ContainsAny(s, "\\'\"#") {
		// The common case at a twentieth of the price.
		return strings.FieldsFunc(s, isBlank), nil
	}
	if !utf8.ValidString(s) {
		return nil, errors.New("it is not valid UTF-8")
	}
	plain, err := forShlex(s)
	if err != nil {
		return nil, err
	}
	return shlex.Split(plain)
}

func isBlank(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' }

// forShlex rewrites s so that shlex reads in it what POSIX says it means, where
// shlex would differ:
//
//   - A # that starts a word would drop the rest of the line. Without a shell
//     there are no comments, and losing words in silence is the worst answer.
//   - In double quotes a backslash would vanish before any character; it
//     escapes only $ ` " \ and the end of a line there, so that "\.go$" keeps it.
//   - A backslash at the end of a line would put a line feed into the word; it
//     continues the line.
//   - In \{{NAME}} outside quotes the backslash would be gone before it could
//     keep the parameter away.
func forShlex(s string) (string, error) {
	l := lexer{in: s, atStart: true}
	for l.at < len(s) {
		switch l.quote {
		case '\'':
			l.single()
		case '"':
			l.double()
		default:
			l.plain()
		}
	}
	switch {
	case l.quote != 0:
		return "", fmt.Errorf("the quote %c at byte %d is not closed", l.quote, l.opened+1)
	case l.dangling:
		return "", errors.New("it ends in a backslash")
	}
	return l.out.String(), nil
}

// A lexer follows the quoting of a commandString. One of its steps reads one
// character, or one escape, and writes what shlex needs.
type lexer struct {
	in       string
	at       int
	out      strings.Builder
	quote    byte // ' or " inside of quotes
	opened   int  // where
	atStart  bool // of a word
	dangling bool // the last backslash has nothing to escape
}

func (l *lexer) single() {
	c := l.in[l.at]
	if c == '\'' {
		l.quote = 0
	}
	l.emit(1)
}

func (l *lexer) double() {
	rest := l.in[l.at:]
	switch {
	case strings.HasPrefix(rest, "\\\n"):
		l.at += 2
	case len(rest) > 1 && rest[0] == '\\' && strings.IndexByte("$`\"\\", rest[1]) >= 0:
		l.emit(2)
	case rest[0] == '\\':
		l.out.WriteByte('\\')
		l.emit(1)
	default:
		if rest[0] == '"' {
			l.quote = 0
		}
		l.emit(1)
	}
}

func (l *lexer) plain() {
	rest := l.in[l.at:]
	switch c := rest[0]; c {
	case '\\':
		l.escape(rest)
	case '\'', '"':
		l.quote, l.opened, l.atStart = c, l.at, false
		l.emit(1)
	case '#':
		if l.atStart {
			l.out.WriteByte('\\')
		}
		l.atStart = false
		l.emit(1)
	default:
		l.atStart = isBlank(rune(c))
		l.emit(1)
	}
}

// escape reads a backslash outside quotes, and what it escapes.
func (l *lexer) escape(rest string) {
	if strings.HasPrefix(rest, "\\\n") {
		l.at += 2
		return
	}
	l.atStart = false
	if name := nameAt(rest, 1); name != "" {
		l.out.WriteByte('\'')
		l.emit(len(`\{{}}`) + len(name))
		l.out.WriteByte('\'')
		return
	}
	l.dangling = len(rest) == 1
	// The escaped character may have several bytes; the others follow as they are.
	l.emit(min(2, len(rest)))
}

func (l *lexer) emit(n int) {
	l.out.WriteString(l.in[l.at : l.at+n])
	l.at += n
}
