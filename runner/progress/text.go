package progress

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of what is said of one task, in columns.
const (
	maxName   = 60
	maxReason = 160
)

// name is the name of an instance as it is shown.
func name(s string) string { return clip(quote(s), maxName) }

// quote makes text that a user gave safe to show: what is not printable, which
// control characters are and characters that turn the writing direction, is
// replaced as in Go's string literals.
func quote(s string) string {
	if strings.IndexFunc(s, unsafe) < 0 && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if n == 1 && r == utf8.RuneError || unsafe(r) {
			q := strconv.Quote(s[:n])
			b.WriteString(q[1 : len(q)-1])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

func unsafe(r rune) bool { return !unicode.IsPrint(r) }

// firstLine returns the first line of s that says something.
func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(s)
}

// clip shortens s to so many columns. Negative: as many as it takes.
func clip(s string, columns int) string {
	if columns < 0 {
		return s
	}
	const dots = "..."
	used, cut := 0, 0
	for i, r := range s {
		if used += columnsOf(r); used > columns {
			if columns <= len(dots) {
				return dots[:columns]
			}
			return s[:cut] + dots
		}
		if used <= columns-len(dots) {
			cut = i + utf8.RuneLen(r)
		}
	}
	return s
}

// columnsOf is how many columns a character takes at most. From the first of the
// wide ones on two are reckoned for each: to be clipped a little early is
// harmless, to overflow a line is not.
func columnsOf(r rune) int {
	if r < 0x1100 {
		return 1
	}
	return 2
}

// duration shows d with about two digits' worth of precision.
func duration(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	m := int(d.Round(time.Minute).Minutes())
	if m < 48*60 {
		return fmt.Sprintf("%dh%dm", m/60, m%60)
	}
	return fmt.Sprintf("%dd%dh", m/(24*60), m/60%24)
}

// perSecond shows a rate in the unit that suits it.
func perSecond(rate float64) string {
	switch {
	case rate >= 10:
		return fmt.Sprintf("%.0f/s", rate)
	case rate >= 0.95:
		return fmt.Sprintf("%.1f/s", rate)
	case rate*60 >= 0.95:
		return fmt.Sprintf("%.1f/min", rate*60)
	}
	return fmt.Sprintf("%.1f/h", rate*3600)
}
