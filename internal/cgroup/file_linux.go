package cgroup

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A file is one of a group. Opening it takes longer than reading or writing it, so
// that it may be kept open.
type file struct {
	path string
	keep bool
	fd   int // 0: not open
	buf  []byte
}

// open returns a descriptor.
func (f *file) open(flags int) (int, error) {
	if f.fd == 0 {
		fd, err := open(f.path, flags)
		if err != nil {
			return -1, err
		}
		f.fd = fd
	}
	return f.fd, nil
}

// use calls what uses a descriptor.
func (f *file) use(flags int, do string, call func(fd int) (int, error)) (n int, err error) {
	fd, err := f.open(flags)
	if err != nil {
		return 0, err
	}
	if !f.keep {
		defer f.close()
	}
	err = unix.EINTR
	for errors.Is(err, unix.EINTR) {
		n, err = call(fd)
	}
	if err != nil {
		f.close()
		return 0, &os.PathError{Op: do, Path: f.path, Err: err}
	}
	return n, nil
}

func (f *file) write(value string) error {
	_, err := f.use(unix.O_WRONLY, "write "+strconv.Quote(value)+" to", func(fd int) (int, error) {
		return unix.Write(fd, []byte(value))
	})
	return err
}

// read returns the beginning of the file, which for those of groups is all of it, until
// it is called again.
func (f *file) read() ([]byte, error) {
	if f.buf == nil {
		f.buf = make([]byte, most)
	}
	n, err := f.use(unix.O_RDONLY, "read", func(fd int) (int, error) {
		return unix.Pread(fd, f.buf, 0)
	})
	return f.buf[:n], err
}

// number returns the number in the file, or what is given if there is none.
func (f *file) number(otherwise int64) int64 {
	text, err := f.read()
	if err != nil {
		return otherwise
	}
	n, err := number(strings.TrimSpace(string(text)))
	if err != nil {
		return otherwise
	}
	return n
}

// most is how much is read of a file.
const most = 1024

func (f *file) close() {
	if f.fd != 0 {
		_ = unix.Close(f.fd)
		f.fd = 0
	}
}

func open(path string, flags int) (int, error) {
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return -1, &os.PathError{Op: "open", Path: path, Err: err}
		default:
			return fd, nil
		}
	}
}
