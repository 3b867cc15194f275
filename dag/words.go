package dag

import (
	"fmt"
	"strings"
)

// commandString checks that s can be split into words: package expand does it,
// once for a task.
//
// There is no shell, so that # starts no comment and is like any other
// character: words that vanish in silence are nobody's wish.
func (v *validator) commandString(s string) {
	if s == "" {
		return
	}
	const field = "commandString"
	v.argument(field, s)
	quote, opened := byte(0), 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quote != '\'':
			if i++; i == len(s) && quote == 0 {
				v.problem(field, "it ends in a backslash", "write two of them for one")
			}
		case quote == 0 && (c == '"' || c == '\''):
			quote, opened = c, i
		case c == quote:
			quote = 0
		}
	}
	switch {
	case quote != 0:
		v.problem(field, fmt.Sprintf("the quote %c at byte %d is not closed", quote, opened+1), "")
	case strings.Trim(s, " \t\r\n") == "":
		v.problem(field, "it holds no words", "leave it out")
	}
}
