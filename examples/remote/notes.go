//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// task is a command of the pipeline. It writes that it begins, and that it ends, and
// would write if another copy of it ran at the same time.
func task(dir, name, takes string) error {
	pause, err := time.ParseDuration(takes)
	if err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(dir, name+".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return errors.Join(err, note(dir, "twice", name))
	}
	if err := note(dir, "begin", name); err != nil {
		return err
	}
	<-time.After(pause)
	return note(dir, "end", name)
}

// note appends a line that everybody sees in full or not at all.
func note(dir, what, name string) error {
	f, err := os.OpenFile(filepath.Join(dir, "notes"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, what, name, os.Getpid())
	return errors.Join(err, f.Close())
}

// A count is what the notes say of a task.
type count struct{ begin, end, twice int }

func readNotes(dir string) (map[string]count, error) {
	data, err := os.ReadFile(filepath.Join(dir, "notes"))
	if err != nil {
		return nil, err
	}
	counts := map[string]count{}
	for line := range strings.Lines(string(data)) {
		words := strings.Fields(line)
		c := counts[words[1]]
		switch words[0] {
		case "begin":
			c.begin++
		case "end":
			c.end++
		case "twice":
			c.twice++
		}
		counts[words[1]] = c
	}
	return counts, nil
}
