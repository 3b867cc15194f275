//go:build !linux

package filelog

import "os"

// syncData writes the file to the disk. On macOS it asks the disk to write what
// it holds back, too.
func syncData(f *os.File) error { return f.Sync() }
