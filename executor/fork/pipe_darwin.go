package fork

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// pipe returns an end to read from, which does not block, and one to give to a
// command. The lock keeps both from a command that is started meanwhile.
func pipe() (r, w int, err error) {
	var fds [2]int
	syscall.ForkLock.RLock()
	err = unix.Pipe(fds[:])
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, -1, err
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		_ = unix.Close(fds[0])
		_ = unix.Close(fds[1])
		return -1, -1, err
	}
	return fds[0], fds[1], nil
}

func ownGroup(*int) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
