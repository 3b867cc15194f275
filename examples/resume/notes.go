package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// task is a command of the pipeline: it works for a while, and notes when it
// began and ended. If it is given files, it first works until they are there.
func task(notes, milliseconds string, files ...string) error {
	ms, err := strconv.Atoi(milliseconds)
	if err != nil {
		return err
	}
	if err := note(notes, "began"); err != nil {
		return err
	}
	for _, file := range files {
		for _, err := os.Stat(file); err != nil; _, err = os.Stat(file) {
			<-time.After(10 * time.Millisecond)
		}
	}
	<-time.After(time.Duration(ms) * time.Millisecond)
	return note(notes, "ended")
}

// note adds a line. Lines of many processes do not mix, as they are short and
// appended at once.
func note(notes, what string) error {
	f, err := os.OpenFile(notes, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, os.Getenv("DAGGY_TASK"), what, time.Now().UnixNano())
	return errors.Join(err, f.Close())
}

// A work is what the notes say of a task.
type work struct {
	name                 string
	began, ended         time.Time // for the last time
	timesBegun, timesEnd int
}

// readNotes returns what the tasks did, in the order in which they began.
func readNotes(notes string) ([]*work, error) {
	text, err := os.ReadFile(notes)
	if err != nil {
		return nil, err
	}
	var all []*work
	byName := map[string]*work{}
	for line := range strings.Lines(string(text)) {
		var name, what string
		var ns int64
		if _, err := fmt.Sscan(line, &name, &what, &ns); err != nil {
			return nil, fmt.Errorf("notes %q: %w", line, err)
		}
		w := byName[name]
		if w == nil {
			w = &work{name: name}
			byName[name] = w
			all = append(all, w)
		}
		if what == "began" {
			w.began = time.Unix(0, ns)
			w.timesBegun++
		} else {
			w.ended = time.Unix(0, ns)
			w.timesEnd++
		}
	}
	return all, nil
}

// verdict says whether every task ran exactly once. It is an error if not.
func verdict(out io.Writer, all []*work) error {
	for _, w := range all {
		if w.timesBegun != 1 || w.timesEnd != 1 {
			return fmt.Errorf("%s began %d times and ended %d times",
				w.name, w.timesBegun, w.timesEnd)
		}
	}
	_, err := fmt.Fprintf(out, "%d tasks, each of which began once and ended once.\n", len(all))
	return err
}
