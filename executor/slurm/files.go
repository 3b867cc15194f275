package slurm

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// write makes a file that is there as a whole or not at all. With sync it outlives
// a power cut once its directory is synced too.
func (s *store) write(path string, data []byte, sync bool) error {
	tmp, err := s.temporary(data, sync)
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return nil
}

// create is write for a file that nobody reads yet and that shows by itself whether
// it is whole: one sync is enough for it and, on all file systems in use, for its
// name. If there is such a file already it is replaced.
func (s *store) create(path string, data []byte) error {
	err := s.fill(path, data, true)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	return errors.Join(s.write(path, data, true), syncDir(filepath.Dir(path)))
}

// temporary makes a file in tmp that nobody else has.
func (s *store) temporary(data []byte, sync bool) (string, error) {
	path := s.path(tmpDir, "engine-"+strings.ToLower(rand.Text()))
	return path, s.fill(path, data, sync)
}

// fill makes a file that is not there.
func (s *store) fill(path string, data []byte, sync bool) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && s.uid >= 0 {
		err = f.Chown(s.uid, -1) // and not what they may have put in its place
	}
	if err == nil && sync {
		err = f.Sync()
	}
	// A file server may only say now that there is no room.
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
