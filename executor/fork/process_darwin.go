package fork

import (
	"time"

	"golang.org/x/sys/unix"
)

// stateZombie is SZOMB of sys/proc.h.
const stateZombie = 5

// alive returns the members of a process group that still run. The group's
// leader is left to its owner.
func alive(group int, _ time.Time) []process {
	members, err := unix.SysctlKinfoProcSlice("kern.proc.pgrp", group)
	if err != nil {
		return nil
	}
	var found []process
	for i := range members {
		p := &members[i].Proc
		if int(p.P_pid) != group && p.P_stat != stateZombie {
			found = append(found, process{int(p.P_pid), unix.ByteSliceToString(p.P_comm[:])})
		}
	}
	return found
}

func zombie(pid int) bool {
	p, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	return err != nil || p.Proc.P_stat == stateZombie
}

// holders finds nothing: there is no way to ask who has a pipe open.
func holders([]*output, time.Time) []process { return nil }

// search finds nothing either: another process's environment cannot be read.
type search struct{}

func (*search) kill(mark) []process { return nil }

// locks are not there: commands do not outlive the engine.
type locks struct{}

func (*locks) held(uint64) bool { return false }

// nameOf is for control groups, which there are none of.
func nameOf(int) (string, bool) { return "", false }
