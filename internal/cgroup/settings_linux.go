package cgroup

import (
	"errors"

	"golang.org/x/sys/unix"
)

// write writes to a file of a group, which is there. The kernel takes what is written
// at once as one word.
func write(path, value string) error { return (&file{path: path}).write(value) }

// read returns the beginning of a file.
func read(path string) ([]byte, error) { return (&file{path: path}).read() }

// apply writes settings below a directory.
func apply(dir string, all []setting) error {
	for _, s := range all {
		err := write(dir+"/"+s.file, s.value)
		missing := errors.Is(err, unix.ENOENT)
		switch {
		case missing && s.instead != nil:
			err = apply(dir, []setting{*s.instead})
		case missing && s.optional:
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func exists(path string) bool { return unix.Access(path, unix.F_OK) == nil }

// scarce reports whether err is the want of something that comes back.
func scarce(err error) bool {
	for _, e := range []error{
		unix.EMFILE, unix.ENFILE, unix.EAGAIN, unix.ENOMEM, unix.ENOSPC,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
