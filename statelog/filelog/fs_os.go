package filelog

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// errLocked: another process has the directory, or another Log of this one.
var errLocked = errors.New("the directory is locked")

// lockName is the file that is locked. It stays when the log is closed: whoever
// removed it could remove the one that somebody else has locked since.
const lockName = "LOCK"

// directory is the fileSystem below a path.
type directory string

// makeDirectory makes the directory if there is none, for nobody but its owner,
// and makes its name durable.
func makeDirectory(path string) (directory, error) {
	if _, err := os.Stat(path); err == nil {
		return directory(path), nil
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", err
	}
	return directory(path), directory(filepath.Dir(path)).SyncDir()
}

func (d directory) path(name string) string { return filepath.Join(string(d), name) }

func (d directory) Create(name string) (file, error) {
	f, err := os.OpenFile(d.path(name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	return osFile{f}, err
}

func (d directory) Open(name string) (file, error) {
	f, err := os.OpenFile(d.path(name), os.O_RDWR, 0)
	return osFile{f}, err
}

func (d directory) List() ([]named, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	names := make([]named, 0, len(entries))
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case errors.Is(err, os.ErrNotExist): // somebody just removed it
		case err != nil:
			return nil, err
		case !info.Mode().IsRegular():
			names = append(names, named{e.Name(), -1})
		default:
			names = append(names, named{e.Name(), info.Size()})
		}
	}
	return names, nil
}

func (d directory) Rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }
func (d directory) Remove(name string) error     { return os.Remove(d.path(name)) }

func (d directory) Lock() (io.Closer, error) {
	f, err := os.OpenFile(d.path(lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil // closing it unlocks it, and so does the end of the process
}

type osFile struct{ *os.File }

func (f osFile) Sync() error { return syncData(f.File) }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
