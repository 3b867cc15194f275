package helperproc

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// AwaitSupervisor returns when a directory that is the Dir of a fork executor has
// no supervisor, so that it can be removed. It blocks a thread. What it waits for
// is in the FORMAT.md of package fork.
func AwaitSupervisor(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, "fork", "lock"), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	for {
		err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLKW, &unix.Flock_t{Type: unix.F_WRLCK})
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
