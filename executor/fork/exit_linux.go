package fork

import (
	"errors"

	"golang.org/x/sys/unix"
)

// awaitExit returns when a child of this process has exited, and leaves it a
// zombie. It blocks a thread.
func awaitExit(pid int) {
	err := error(unix.EINTR)
	for errors.Is(err, unix.EINTR) {
		err = unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
	}
}
