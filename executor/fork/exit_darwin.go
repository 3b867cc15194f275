package fork

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

const pollPause = 20 * time.Millisecond

// awaitExit returns when a child of this process has exited, and leaves it a
// zombie. It blocks a thread. waitid is of no use: it also returns for a process
// that was stopped (golang/go#19314).
func awaitExit(pid int) {
	queue, err := unix.Kqueue()
	if err != nil {
		// No descriptor is left, and wait4 would reap it.
		for !zombie(pid) {
			<-time.After(pollPause)
		}
		return
	}
	defer func() { _ = unix.Close(queue) }()
	unix.CloseOnExec(queue)
	change := []unix.Kevent_t{{Fflags: unix.NOTE_EXIT}}
	unix.SetKevent(&change[0], pid, unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT)
	events := make([]unix.Kevent_t, 1)
	for {
		// An error other than EINTR: it has exited already.
		n, err := unix.Kevent(queue, change, events, nil)
		if n > 0 || !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
