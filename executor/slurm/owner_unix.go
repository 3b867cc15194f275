//go:build unix

package slurm

import (
	"io/fs"
	"syscall"
)

// owner returns whose a file is. -1: that is not known.
func owner(info fs.FileInfo) int {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1
	}
	return int(st.Uid)
}
