//go:build !linux

package filelog_test

import "os"

func fdatasync(f *os.File) error { return f.Sync() }
