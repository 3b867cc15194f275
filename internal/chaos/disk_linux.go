package chaos

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// A Disk is a small one of its own, which can be full.
type Disk struct {
	dir string
}

// MountDisk mounts a disk of 4 MiB at a directory. The error is EPERM if this process
// may not.
func MountDisk(dir string) (*Disk, error) {
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m,mode=700"); err != nil {
		return nil, fmt.Errorf("chaos: mount a disk at %s: %w", dir, err)
	}
	return &Disk{dir}, nil
}

// Fill takes all the room that is left.
func (d *Disk) Fill() error {
	f, err := os.Create(d.filler())
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it has nothing to say that was not said
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err == nil {
			continue
		} else if !errors.Is(err, unix.ENOSPC) {
			return err
		}
		size /= 2
	}
	return nil
}

// Empty gives back what Fill has taken, if it has.
func (d *Disk) Empty() error {
	if err := os.Remove(d.filler()); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Unmount takes the disk away, with all that is on it.
func (d *Disk) Unmount() error { return unix.Unmount(d.dir, unix.MNT_DETACH) }

func (d *Disk) filler() string { return filepath.Join(d.dir, "filler") }
