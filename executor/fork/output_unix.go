//go:build linux || darwin

package fork

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/internal/invocation"
)

// output is one pipe that a command writes to and the engine reads from.
type output struct {
	name string   // of the stream, for errors
	fd   int      // not blocking; -1: closed
	file *os.File // owns fd; nil: fd is owned by nobody else
	w    io.Writer
	err  error // the first that w returned; what follows is dropped
}

// put hands data on. A writer that fails is not written to again, but the pipe is
// still read: the command must not stand still. One that panics has failed (R4).
func (o *output) put(data []byte) {
	if o.err != nil {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			o.err = &executor.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	n, err := o.w.Write(data)
	if err == nil && n < len(data) {
		err = io.ErrShortWrite
	}
	o.err = err
}

// read reads once, and hands it on. It reports whether there may be more at
// once; err is io.EOF at the end of the stream.
func (o *output) read(buf []byte) (more bool, err error) {
	n, err := unix.Read(o.fd, buf)
	switch {
	case errors.Is(err, unix.EINTR):
		return true, nil
	case errors.Is(err, unix.EAGAIN):
		return false, nil
	case err != nil || n == 0:
		return false, io.EOF
	}
	o.put(buf[:n])
	return true, nil
}

// readSome reads a few times, so that neither output waits for long for the
// other, and reports whether the end was reached.
func (o *output) readSome(buffers *sync.Pool) (end bool) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	more := true
	var err error
	for i := 0; i < 4 && more; i++ {
		more, err = o.read(*buf)
	}
	return errors.Is(err, io.EOF)
}

func (o *output) close() {
	switch {
	case o.file != nil:
		_ = o.file.Close()
	case o.fd >= 0:
		_ = unix.Close(o.fd)
	}
	o.fd = -1
}

// bufferSize is what a pipe holds.
const bufferSize = 64 << 10

func newBuffer() any {
	b := make([]byte, bufferSize)
	return &b
}

// descriptors are what a command finds as its standard input, output and error.
type descriptors struct {
	fds  [3]uintptr
	own  []int      // opened here, to be closed here
	lent []*os.File // the attempt's
	lock int        // to be inherited too; 0: none
}

// lockDescriptor is the number by which a command knows its lock. It is one that
// nobody is likely to use: shells are given those below 10 by their scripts, and
// take others that are free for themselves.
const lockDescriptor = 61

// inherit takes a lock to be closed here once the command has it.
func (d *descriptors) inherit(l lock) {
	if l.slot != 0 {
		d.lock = l.fd
		d.own = append(d.own, l.fd)
	}
}

// all returns the descriptors by their numbers in the command.
func (d *descriptors) all() []uintptr {
	if d.lock == 0 {
		return d.fds[:]
	}
	const none = ^uintptr(0)
	all := slices.Repeat([]uintptr{none}, lockDescriptor+1)
	copy(all, d.fds[:])
	all[lockDescriptor] = uintptr(d.lock)
	return all
}

func (d *descriptors) open(p *child, stdout, stderr io.Writer) error {
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return openError(os.DevNull, err)
	}
	d.own = append(d.own, null)
	d.fds[0] = uintptr(null)
	if d.fds[1], err = d.output(p, "stdout", stdout); err != nil {
		return err
	}
	if invocation.Joined(stdout, stderr) {
		d.fds[2] = d.fds[1]
		return nil
	}
	d.fds[2], err = d.output(p, "stderr", stderr)
	return err
}

// output returns the descriptor to write to: that of a file as it is, the null
// device if nobody wants the output, and otherwise a pipe.
func (d *descriptors) output(p *child, name string, w io.Writer) (uintptr, error) {
	if w == io.Discard {
		return d.fds[0], nil
	}
	if file, ok := w.(*os.File); ok {
		fd := file.Fd()
		if fd == ^uintptr(0) {
			return 0, openError(name, os.ErrClosed)
		}
		d.lent = append(d.lent, file)
		return fd, nil
	}
	r, c, err := pipe()
	if err != nil {
		return 0, openError("pipe for "+name, err)
	}
	d.own = append(d.own, c)
	p.outputs = append(p.outputs, &output{name: name, fd: r, w: w})
	return uintptr(c), nil
}

func (d *descriptors) close() {
	for _, fd := range d.own {
		_ = unix.Close(fd)
	}
	runtime.KeepAlive(d.lent)
}

func openError(what string, err error) error {
	err = fmt.Errorf("fork: %s: %w", what, err)
	if scarce(err) {
		return &executor.NotStartedError{Err: err}
	}
	return err
}
