//go:build unix

package httpguard

import (
	"fmt"
	"os"
	"syscall"
)

// owned returns an error if a file belongs to another user, who may write to it
// whatever its mode is. Root could do so anyway.
func owned(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if user := os.Geteuid(); ok && stat.Uid != 0 && int(stat.Uid) != user {
		return fmt.Errorf("it belongs to user %d, who can put tokens into it: chown %d %s",
			stat.Uid, user, f.Name())
	}
	return nil
}

// private returns an error if the mode of a file that holds a secret has one of
// the bits of not, which say what other users may do.
func private(f *os.File, not os.FileMode) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return fmt.Errorf("it is a directory")
	}
	if mode := info.Mode().Perm(); mode&not != 0 {
		return fmt.Errorf("its mode is %04o, so that other users have access to what is secret: "+
			"chmod %04o %s", mode, mode&^(not|0o111), f.Name())
	}
	return nil
}
