//go:build !unix

package slurm

import "io/fs"

// owner returns whose a file is. -1: that is not known.
func owner(fs.FileInfo) int { return -1 }
