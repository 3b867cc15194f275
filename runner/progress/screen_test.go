package progress_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A screen is a terminal that is endlessly high. It knows the control sequences
// that a live block needs, and takes all others for an attack.
type screen struct {
	mu     sync.Mutex
	rows   []string
	row    int
	writes int
	bad    []string
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	for text := string(p); text != ""; {
		text = s.take(text)
	}
	return len(p), nil
}

// take performs the first thing in text and returns the rest.
func (s *screen) take(text string) string {
	switch {
	case text[0] == '\n':
		s.row++
		return text[1:]
	case strings.HasPrefix(text, "\x1b["):
		return s.control(text[2:])
	case text[0] < ' ':
		s.bad = append(s.bad, strconv.Quote(text[:1]))
		return text[1:]
	}
	n := strings.IndexFunc(text, func(r rune) bool { return r < ' ' })
	if n < 0 {
		n = len(text)
	}
	for len(s.rows) <= s.row {
		s.rows = append(s.rows, "")
	}
	s.rows[s.row] += text[:n]
	return text[n:]
}

func (s *screen) control(text string) string {
	n := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if n < 0 {
		s.bad = append(s.bad, "an unfinished sequence")
		return ""
	}
	switch arg, _ := strconv.Atoi(text[:n]); text[n] {
	case 'A':
		s.row -= arg
	case 'J':
		s.rows = s.rows[:min(s.row, len(s.rows))]
	default:
		s.bad = append(s.bad, fmt.Sprintf("ESC[%s", text[:n+1]))
	}
	return text[n+1:]
}

// see returns what is on the screen, each row without the spaces at its end.
func (s *screen) see(tb testing.TB) []string {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Empty(tb, s.bad, "control characters that must not be there")
	rows := make([]string, len(s.rows))
	for i, row := range s.rows {
		rows[i] = strings.TrimRight(row, " ")
	}
	return rows
}

// find returns the first row that contains text.
func (s *screen) find(tb testing.TB, text string) string {
	tb.Helper()
	rows := s.see(tb)
	i := slices.IndexFunc(rows, func(row string) bool { return strings.Contains(row, text) })
	require.GreaterOrEqual(tb, i, 0, "%q is not in %q", text, rows)
	return rows[i]
}

// tail returns the last n rows.
func (s *screen) tail(tb testing.TB, n int) []string {
	tb.Helper()
	rows := s.see(tb)
	require.GreaterOrEqual(tb, len(rows), n, "%q", rows)
	return rows[len(rows)-n:]
}
