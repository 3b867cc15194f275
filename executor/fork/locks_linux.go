package fork

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// locks are the bytes of one file, one for each attempt. A command inherits a
// descriptor of its own file description, which holds the lock on its byte: the
// lock is held for as long as any process has the descriptor, however it came by
// it, and is free at once when the last one ends. No process ID is needed to know
// whether anything of an attempt lives.
type locks struct {
	path string
	file *os.File // to ask with
	id   inode
}

// inode is the identity of a file.
type inode struct{ dev, ino uint64 }

func openLocks(path string) (*locks, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		_ = f.Close()
		return nil, err
	}
	return &locks{path: path, file: f, id: inode{st.Dev, st.Ino}}, nil
}

// take locks a slot that nobody has.
func (l *locks) take(slot uint64) (lock, error) {
	fd, err := unix.Open(l.path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return lock{}, err
	}
	if err := unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, flock(slot)); err != nil {
		_ = unix.Close(fd)
		return lock{}, fmt.Errorf("lock of slot %d: %w", slot, err)
	}
	return lock{fd, slot}, nil
}

// held reports whether anything that inherited the lock of a slot is there. It is
// safe to call on nil, for which nothing is.
func (l *locks) held(slot uint64) bool {
	if l == nil || slot == 0 {
		return false
	}
	asked := flock(slot)
	err := unix.FcntlFlock(l.file.Fd(), unix.F_OFD_GETLK, asked)
	return err != nil || asked.Type != unix.F_UNLCK
}

func flock(slot uint64) *unix.Flock_t {
	return &unix.Flock_t{Type: unix.F_WRLCK, Start: int64(slot), Len: 1}
}

// of returns the slots whose locks a process holds.
func (l *locks) of(pid int) []uint64 {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // it is gone, or not ours
	}
	var slots []uint64
	for _, entry := range entries {
		var st unix.Stat_t
		err := unix.Stat(dir+"/"+entry.Name(), &st)
		if err != nil || (inode{st.Dev, st.Ino}) != l.id {
			continue
		}
		info, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%s", pid, entry.Name()))
		if err == nil {
			slots = append(slots, lockedSlots(info)...)
		}
	}
	return slots
}

// lockedSlots parses the locks in /proc/PID/fdinfo/FD, such as
//
//	lock:	1: OFDLCK ADVISORY  WRITE -1 fe:00:9978116 12345 12345
func lockedSlots(info []byte) []uint64 {
	var slots []uint64
	lines := bufio.NewScanner(bytes.NewReader(info))
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) != 9 || words[0] != "lock:" || !slices.Contains(words, "OFDLCK") {
			continue
		}
		if slot, err := strconv.ParseUint(words[7], 10, 64); err == nil {
			slots = append(slots, slot)
		}
	}
	return slots
}
