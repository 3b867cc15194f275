package main

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// A place is where in the hierarchy a program may find itself.
type place struct {
	name   string
	own    string // the group of the program
	given  string // above that one, with a mark like systemd's; "": none
	user   int    // whom that belongs to
	limits bool   // there can be some, and so no test is skipped
	skips  string // but for this one
}

var places = []*place{
	{name: "root", own: groups, limits: true},
	{name: "given", own: groups + "/unit/engine", given: groups + "/unit", limits: true},
	{
		name: "user", own: groups + "/user/engine", given: groups + "/user", user: 65534,
		limits: true, skips: "TestWithoutPermission", // that one wants to be root first
	},
	// What systemd starts if nothing is said about it. No group can have both processes
	// and groups with controllers.
	{name: "busy", own: groups + "/service"},
	{name: "not-given", own: groups + "/slice/service"},
}

// make makes the groups of the place, and returns that of the program.
func (p *place) make() (string, error) {
	if err := os.MkdirAll(p.own, 0o755); err != nil {
		return "", err
	}
	if err := control(groups); err != nil {
		return "", err
	}
	switch above := filepath.Dir(p.own); {
	case p.given == "" && p.own == groups:
		return p.own, nil
	case p.given == "":
		return p.own, control(above)
	case p.user == 0:
		return p.own, unix.Setxattr(p.given, "user.delegate", []byte("1"), 0)
	}
	// Those that systemd gives away.
	files := []string{"", "cgroup.procs", "cgroup.threads", "cgroup.subtree_control"}
	var err error
	for _, dir := range []string{p.given, p.own} {
		for _, file := range files {
			err = errors.Join(err, os.Chown(filepath.Join(dir, file), p.user, p.user))
		}
	}
	return p.own, err
}

// control makes all controllers that are of use work in the groups below one.
func control(dir string) error {
	return os.WriteFile(dir+"/cgroup.subtree_control", []byte("+memory +cpu +pids"), 0)
}

// remove removes the groups that make has made. One that is not empty stays.
func (p *place) remove() {
	for dir := p.own; dir != groups; dir = filepath.Dir(dir) {
		for range 100 {
			if err := unix.Rmdir(dir); err == nil {
				break
			}
			<-time.After(10 * time.Millisecond)
		}
	}
}
