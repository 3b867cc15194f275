package main

import (
	"fmt"
	"strings"
	"time"
)

// columns is how wide the picture is.
const columns = 48

// picture shows when each task ran, and the moment at which the engine died.
func picture(all []*work, killed time.Time) string {
	var from, to time.Time
	for _, w := range all {
		if from.IsZero() || w.began.Before(from) {
			from = w.began
		}
		if w.ended.After(to) {
			to = w.ended
		}
	}
	column := func(t time.Time) int {
		return int(columns * t.Sub(from) / max(to.Sub(from), 1))
	}
	at := min(max(column(killed), 0), columns-1)
	var b strings.Builder
	fmt.Fprintf(&b, "  %-8s %*s╳ engine 2\n", "", at, "engine 1 ")
	for _, w := range all {
		cells := []rune(strings.Repeat(" ", columns))
		cells[at] = '┊'
		for i := column(w.began); i < columns && i <= column(w.ended); i++ {
			cells[i] = '█'
		}
		fmt.Fprintf(&b, "  %-8s %s  %s\n", w.name, string(cells), fate(w, killed))
	}
	return b.String()
}

// fate says what the death of the engine meant for a task.
func fate(w *work, killed time.Time) string {
	switch {
	case w.ended.Before(killed):
		return "not run again"
	case w.began.Before(killed):
		return "found running"
	}
	return "run by engine 2"
}
