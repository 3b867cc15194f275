package cgroup

import (
	"crypto/rand"
	"path/filepath"
	"strings"
)

// common is the directory below a group that all programs share.
const common = "daggy"

// What the names of owners begin with. What a supervisor leaves behind is dealt with
// by the next one, which was told where it is.
const (
	prefixEngine     = "e-"
	prefixSupervisor = "s-"
)

func newName(prefix string) string { return prefix + strings.ToLower(rand.Text()) }

// ownerDir is the directory of an owner below a group.
func ownerDir(base, name string) string { return filepath.Join(base, common, name) }
