//go:build linux || darwin

package fork

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/executor"
)

// lookPath finds a command in the directories of path. One that contains a slash
// is left to the kernel, which takes it relative to the working directory of the
// command. Relative directories in path are passed over: what they stand for
// depends on where the engine happens to be.
func lookPath(name, path string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	refused := &CommandError{Command: name, Path: path, Err: exec.ErrNotFound}
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		file := filepath.Join(dir, name)
		switch err := executable(file); {
		case err == nil:
			return file, nil
		case errors.Is(err, fs.ErrPermission):
			refused.Text, refused.Err = file, err
		}
	}
	return "", refused
}

func executable(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return unix.EISDIR
	}
	return unix.Faccessat(unix.AT_FDCWD, file, unix.X_OK, unix.AT_EACCESS)
}

// explain turns what kept a command from being executed into an error that says
// what to do about it.
func explain(err error, c command) error {
	if scarce(err) {
		return &executor.NotStartedError{Err: err}
	}
	e := &CommandError{Command: c.argv[0], Path: variable(c.env, "PATH"), WorkDir: c.dir, Err: err}
	if dirErr := checkDir(c.dir); dirErr != nil {
		e.Text, e.Err = "working directory", dirErr
		return e
	}
	switch {
	case errors.Is(err, unix.ENOENT):
		if _, statErr := os.Stat(fromDir(c)); statErr == nil {
			e.Text = "the program that it needs as its interpreter or loader is missing"
		}
	case errors.Is(err, unix.ENOEXEC):
		e.Text = "neither a program for this machine nor a script that begins with #!"
	case errors.Is(err, unix.E2BIG):
		e.Text = "its arguments and environment are larger than the system allows"
		return executor.Permanent(e)
	case errors.Is(err, unix.EINVAL):
		e.Text = "a zero byte in its arguments, environment or working directory"
		return executor.Permanent(e)
	}
	return e
}

// scarce reports whether err is the want of something that comes back (E4).
func scarce(err error) bool {
	for _, e := range []error{
		unix.EMFILE, unix.ENFILE, unix.EAGAIN, unix.ENOMEM, unix.ETXTBSY,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func checkDir(dir string) error {
	info, err := os.Stat(dirOrDot(dir))
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "chdir", Path: dir, Err: unix.ENOTDIR}
	}
	return err
}

func dirOrDot(dir string) string {
	if dir == "" {
		return "."
	}
	return dir
}

// fromDir is the file that the kernel looked at.
func fromDir(c command) string {
	if filepath.IsAbs(c.path) {
		return c.path
	}
	return filepath.Join(dirOrDot(c.dir), c.path)
}
