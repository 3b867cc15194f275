package fork

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// pipe returns an end to read from, which does not block, and one to give to a
// command.
func pipe() (r, w int, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return -1, -1, err
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		_ = unix.Close(fds[0])
		_ = unix.Close(fds[1])
		return -1, -1, err
	}
	return fds[0], fds[1], nil
}

// ownGroup also asks for a descriptor of the process, which stays -1 on kernels
// before 5.2.
func ownGroup(pidfd *int) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, PidFD: pidfd}
}
