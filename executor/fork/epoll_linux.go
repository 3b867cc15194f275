package fork

import (
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// epoll is a watch for when there are many. An epoll descriptor of its own
// watches the command, and the Go runtime that one: a command costs neither a
// thread nor a goroutine besides the caller's, and output is read as soon as
// there is any.
type epoll struct {
	p        *child
	fd       int
	file     *os.File // owns fd
	raw      syscall.RawConn
	buffers  *sync.Pool
	events   [3]unix.EpollEvent
	exited   bool
	draining bool // wait for the end of the outputs, not of the command
	open     int  // outputs
	deadline time.Time
}

func newEpoll(p *child, buffers *sync.Pool) *epoll {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	w := &epoll{p: p, fd: fd, buffers: buffers, open: len(p.outputs)}
	ok := w.add(p.pidfd) && unix.SetNonblock(fd, true) == nil
	for _, o := range p.outputs {
		ok = ok && w.add(o.fd)
	}
	if !ok {
		_ = unix.Close(fd)
		return nil
	}
	w.file = os.NewFile(uintptr(fd), "epoll")
	w.raw, err = w.file.SyscallConn()
	if err != nil || w.file.SetReadDeadline(time.Time{}) != nil {
		// The runtime does not watch it.
		_ = w.file.Close()
		return nil
	}
	return w
}

func (w *epoll) add(fd int) bool {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	return unix.EpollCtl(w.fd, unix.EPOLL_CTL_ADD, fd, &ev) == nil
}

func (w *epoll) remove(fd int) { _ = unix.EpollCtl(w.fd, unix.EPOLL_CTL_DEL, fd, nil) }

func (w *epoll) exit() {
	for !w.exited {
		_ = w.raw.Read(w.turn)
	}
}

func (w *epoll) drain(until time.Time) bool {
	w.draining, w.deadline = true, until
	if w.open > 0 && !w.turn(0) {
		_ = w.file.SetReadDeadline(until)
		_ = w.raw.Read(w.turn) // an error is the deadline
	}
	return w.open == 0
}

// turn deals with everything that happened and reports whether to stop waiting.
// It leaves nothing unseen, since the runtime only tells of changes.
func (w *epoll) turn(uintptr) bool {
	for {
		n, err := unix.EpollWait(w.fd, w.events[:], 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		for _, ev := range w.events[:max(n, 0)] {
			w.event(int(ev.Fd))
		}
		switch {
		case !w.draining && w.exited, w.draining && w.open == 0:
			return true
		case n <= 0:
			return false
		case w.draining && !time.Now().Before(w.deadline):
			return true
		}
	}
}

func (w *epoll) event(fd int) {
	if fd == w.p.pidfd {
		w.exited = true
		w.remove(fd)
		return
	}
	for _, o := range w.p.outputs {
		if o.fd == fd && o.readSome(w.buffers) {
			w.remove(fd)
			o.close()
			w.open--
		}
	}
}

func (w *epoll) close() { _ = w.file.Close() }
