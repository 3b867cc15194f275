package filelog

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncData writes the data of the file to the disk, and of what the file system
// knows about it what it takes to read them, such as the size.
func syncData(f *os.File) error {
	for {
		// Interrupted before anything was done: this is not a failure.
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
