package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// own makes the directory of an owner, and returns the descriptor that keeps its lock.
func own(base, name string) (fd int, err error) {
	dir := ownerDir(base, name)
	const tries = 100 // somebody may take it for left behind, and remove it again
	for range tries {
		if err := makeDir(filepath.Dir(dir)); err != nil {
			return -1, err
		}
		err := makeDir(dir)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return -1, err
		}
		if fd, err = lock(dir); err == nil {
			return fd, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.ENOENT) {
			return -1, err
		}
		<-time.After(time.Millisecond)
	}
	return -1, &os.PathError{Op: "lock", Path: dir, Err: unix.EBUSY}
}

func makeDir(dir string) error {
	err := unix.Mkdir(dir, 0o755)
	if err == nil || errors.Is(err, unix.EEXIST) {
		return nil
	}
	return &os.PathError{Op: "mkdir", Path: dir, Err: err}
}

// lock locks a directory, for as long as the descriptor is open. It fails with
// EWOULDBLOCK if somebody else has the lock, and with ENOENT if the directory was
// removed meanwhile.
func lock(dir string) (fd int, err error) {
	fd, err = open(dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return -1, err
	}
	if err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err == nil && !same(fd, dir) {
		err = unix.ENOENT
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, &os.PathError{Op: "lock", Path: dir, Err: err}
	}
	return fd, nil
}

// same reports whether a descriptor is that of what is at a path.
func same(fd int, path string) bool {
	var a, b unix.Stat_t
	return unix.Fstat(fd, &a) == nil && unix.Stat(path, &b) == nil &&
		a.Ino == b.Ino && a.Dev == b.Dev
}

// sweepTime bounds what is done about what others have left behind.
const sweepTime = time.Second

// sweep removes what owners that have ended left behind, and kills what is in it.
// What cannot be killed is left to the next one who looks.
func sweep(base string) {
	dir := filepath.Join(base, common)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	until := time.Now().Add(sweepTime)
	for _, entry := range entries {
		engine := strings.HasPrefix(entry.Name(), prefixEngine)
		if !entry.IsDir() || !engine && !strings.HasPrefix(entry.Name(), prefixSupervisor) {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		fd, err := lock(path)
		if err != nil {
			continue // its owner lives
		}
		if engine {
			killAll(path, until)
		}
		if len(members(path)) == 0 {
			_ = remove(path, until)
		}
		_ = unix.Close(fd)
	}
}

// disown removes the directory of an owner and gives up its lock. What is left in it
// is dealt with as though the owner had ended.
func disown(base, name string, fd int) {
	dir := ownerDir(base, name)
	_ = remove(dir, time.Now().Add(removeTime))
	_ = unix.Close(fd)
	_ = unix.Rmdir(filepath.Dir(dir)) // unless others have something in it
}

// removeTime is how long the kernel may take to see that a group is empty.
const removeTime = 100 * time.Millisecond

// remove removes a group and those below it. Nothing is in them any more, or it fails.
func remove(dir string, until time.Time) error {
	const longest = 10 * time.Millisecond
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, longest) {
		err := unix.Rmdir(dir)
		if err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		for _, below := range subdirs(dir) {
			_ = remove(below, time.Time{})
		}
		if time.Now().After(until) {
			return &os.PathError{Op: "rmdir", Path: dir, Err: err}
		}
		<-time.After(pause)
	}
}

// subdirs returns the groups in a group.
func subdirs(dir string) []string {
	if !hasSubdirs(dir) {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var found []string
	for _, entry := range entries {
		if entry.IsDir() {
			found = append(found, filepath.Join(dir, entry.Name()))
		}
	}
	return found
}

// hasSubdirs counts the links, which is much quicker than reading the directory.
func hasSubdirs(dir string) bool {
	var st unix.Stat_t
	return unix.Stat(dir, &st) == nil && st.Nlink > linksOfOne
}

// hasLinks is the same for an open directory.
func hasLinks(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Nlink > linksOfOne
}

// linksOfOne are those of a directory without others in it.
const linksOfOne = 2
