//go:build unix

package private

import (
	"fmt"
	"os"
	"syscall"
)

// Dir refuses a directory that others may have put there, or can look into.
func Dir(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode(); {
	case !mode.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	case ok && int(stat.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to user %d: choose a directory of your own", dir, stat.Uid)
	case mode.Perm()&0o077 != 0:
		return fmt.Errorf("%s is open to other users: chmod 700 it", dir)
	}
	return nil
}

// Parent refuses a directory in which everybody can put something.
func Parent(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("all users can write to %s: choose a directory of your own, or"+
			" chmod o-w it", dir)
	}
	return nil
}
