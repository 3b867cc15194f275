package cgroup

import (
	"errors"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Start calls start, so that the process which that starts with attr is born in the
// group. An [Error] is from before that; any other is that of start, which may be called
// in another goroutine.
func (g *Group) Start(attr *syscall.SysProcAttr, start func() error) error {
	if g == nil {
		return start()
	}
	rest := g.parts
	if tree := g.tree(); tree.v2 {
		rest = rest[1:]
		if !tree.tasks.keep {
			defer tree.tasks.close()
		}
		fd, err := tree.tasks.open(unix.O_PATH | unix.O_DIRECTORY)
		if err != nil {
			g.spoiled = true
			return &Error{Do: "enter", Err: err}
		}
		attr.UseCgroupFD, attr.CgroupFD = true, fd
	}
	entered, err := true, error(nil)
	if len(rest) == 0 {
		err = start()
	} else {
		entered, err = within(rest, start)
	}
	g.spoiled = err != nil
	if !entered {
		err = &Error{Do: "enter", Err: err}
	}
	return err
}

// within calls f in a thread that is in these parts meanwhile, and reports whether it
// has come there. They are all of version 1, which moves single threads.
func within(parts []*part, f func() error) (entered bool, err error) {
	runtime.LockOSThread()
	if unix.Gettid() == os.Getpid() {
		// The first thread stands for the process: who looks for members of the group
		// would find that. Another goroutine cannot be on it now.
		defer runtime.UnlockOSThread()
		done := make(chan struct{})
		go func() {
			defer close(done)
			entered, err = within(parts, f)
		}()
		<-done
		return entered, err
	}
	n := 0
	for n < len(parts) && err == nil {
		err = parts[n].tasks.write("0") // this thread
		n++
	}
	entered = err == nil
	if entered {
		err = f()
	}
	if comeBack(parts[:n]) {
		runtime.UnlockOSThread()
	} // else the thread ends with the goroutine, and no other ever runs there
	return entered, err
}

// comeBack moves this thread to where this process is.
func comeBack(parts []*part) bool {
	all := true
	for _, p := range parts {
		err := error(unix.EINTR)
		for errors.Is(err, unix.EINTR) {
			_, err = unix.Write(p.home, []byte("0"))
		}
		all = all && err == nil
	}
	return all
}
