package fork

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/internal/private"
)

// Names in the directory of a supervisor. FORMAT.md says what they are.
const (
	stateName  = "fork" // in Config.Dir
	lockName   = "lock"
	slotsName  = "slots"
	socketName = "socket"
	outputName = "output"
	noticeName = "notices"
	groupsName = "groups"
)

// makeState makes the directory in which everything is kept. It is for nobody
// else: who can write to it can run commands.
func makeState(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	dir = filepath.Join(dir, stateName)
	if err := os.MkdirAll(filepath.Join(dir, outputName), 0o700); err != nil {
		return dir, err
	}
	if err := private.Dir(dir); err != nil {
		return dir, err
	}
	return dir, checkFileSystem(dir)
}

// checkFileSystem refuses those whose locks other machines do not see, or whose
// sockets they do.
func checkFileSystem(dir string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	switch uint32(st.Type) {
	case unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC,
		unix.CIFS_SUPER_MAGIC, unix.AFS_SUPER_MAGIC, unix.CEPH_SUPER_MAGIC,
		unix.CODA_SUPER_MAGIC:
		return fmt.Errorf("%s is on a network file system; it has to be on a local one", dir)
	}
	return nil
}

// outputPath is where the output of an attempt is that is too long for the journal.
func outputPath(state, key string, stream int) string {
	return filepath.Join(state, outputName, key+"."+strconv.Itoa(stream+1))
}

// openState opens a directory to name the socket in it, whose path may be longer
// than the address of a socket.
func openState(state string) (*os.File, error) {
	fd, err := unix.Open(state, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: state, Err: err}
	}
	return os.NewFile(uintptr(fd), state), nil
}

func socketPath(dir *os.File) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), socketName)
}

// errBusy says that another process has the lock of a directory.
var errBusy = errors.New("another supervisor is at work")

// lockState makes this process the only supervisor of a directory, until it ends.
func lockState(state string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(state, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		err = errBusy
	}
	return nil, err
}
