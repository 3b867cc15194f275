//go:build unix

package filelog

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// SyncDir makes durable which names there are in the directory.
func (d directory) SyncDir() error {
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// lockFile takes a lock that ends with the open file: whether it is closed or the
// process dies, and that no other process inherits.
func lockFile(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errLocked
	}
	return os.NewSyscallError("flock", err)
}
