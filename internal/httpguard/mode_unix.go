//go:build unix

package httpguard

import (
	"fmt"
	"os"
)

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
