package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A space is the directories of an owner, in all hierarchies that are of use.
type space struct {
	name string
	// hierarchies are those that groups can be made in. The first is where all
	// processes are, and are found again.
	hierarchies []*hierarchy
	can         Abilities
	// mostOpen is how many groups may have their files kept open.
	mostOpen int
}

// A hierarchy is one in which this process can make groups.
type hierarchy struct {
	place
	dir  string // of the owner
	lock int    // descriptor of that
	home int    // version 1: descriptor of the file for threads to come back; -1: none
}

func (h *hierarchy) has(controller string) bool {
	return slices.Contains(h.controllers, controller)
}

// openSpace makes the directories of a new owner. An error is for what comes back;
// what this process may not do is among the abilities.
func openSpace(c Config) (*space, error) {
	l, err := readLayout(os.DirFS("/"))
	if err != nil {
		return nil, &Error{Do: "find", Err: err}
	}
	s := &space{name: newName(c.prefix()), mostOpen: spare()}
	s.can = missing()
	places := c.only(l.places())
	for i := range places {
		if places[i], err = places[i].atBase(); err != nil {
			return nil, &Error{Do: "find", Err: err}
		}
	}
	if err := c.note(places, s.name); err != nil {
		return nil, &Error{Do: "note", Err: err}
	}
	for _, p := range places {
		sweep(p.dir)
		if len(s.hierarchies) > 0 && slices.Equal(p.controllers, []string{freezer}) {
			continue // processes are found and killed in the first
		}
		h, err := s.take(p)
		if scarce(err) {
			s.close()
			return nil, &Error{Do: "make", Err: err}
		}
		if err != nil {
			s.refuse(p, err)
			continue
		}
		s.can.Tree = nil
		s.hierarchies = append(s.hierarchies, h)
	}
	return s, nil
}

// spare is for how many groups a quarter of the descriptors is enough that this process
// may have.
func spare() int {
	const each, share = 8, 4
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return int(min(limit.Cur/each/share, mostOpen))
}

// missing are the abilities of whoever has nothing.
func missing() Abilities {
	without := func(controller string) error {
		return fmt.Errorf("no control groups with the controller %s are there for this process",
			controller)
	}
	return Abilities{
		Memory: without(Memory), Cores: without(CPU), Pids: without(Pids),
		Tree: errors.New("no control groups are there for this process"),
	}
}

// refuse notes that a place is of no use.
func (s *space) refuse(p place, err error) {
	for _, controller := range p.controllers {
		s.can.set(controller, err)
	}
	if len(s.hierarchies) == 0 {
		s.can.Tree = err
	}
}

// take makes the directory of the owner in a place, and finds out what it is good for.
func (s *space) take(p place) (*hierarchy, error) {
	fd, err := own(p.dir, s.name)
	if err != nil {
		return nil, err
	}
	h := &hierarchy{place: p, dir: ownerDir(p.dir, s.name), lock: fd, home: -1}
	h.controllers = nil
	for _, controller := range p.controllers {
		err := h.enable(controller)
		if scarce(err) {
			h.close(s.name)
			return nil, err
		}
		if controller != freezer {
			s.can.set(controller, err)
		}
		if err == nil {
			h.controllers = append(h.controllers, controller)
		}
	}
	h.weigh()
	if p.v2 {
		err = h.tryBirth()
	} else {
		h.home, err = open(p.dir+"/tasks", unix.O_WRONLY)
	}
	if err != nil {
		h.close(s.name)
		return nil, err
	}
	return h, nil
}

// enable makes a controller work in the groups of the owner.
func (h *hierarchy) enable(controller string) error {
	if h.v2 {
		for _, dir := range []string{h.place.dir, filepath.Dir(h.dir), h.dir} {
			if err := delegate(dir, controller); err != nil {
				return err
			}
		}
	}
	// In version 2 the directory of the owner has the file of its parent's making.
	if file := filepath.Join(h.dir, limitFile(h.v2, controller)); !exists(file) {
		return &os.PathError{Op: "open", Path: file, Err: unix.ENOENT}
	}
	return nil
}

// base is the group to make groups in: that of this process, unless it is in one of
// version 2 whose parent was given to it. A group that has processes of its own, as that
// of this process, cannot have groups with controllers there.
func (p place) base() string {
	above := filepath.Dir(p.dir)
	if !p.v2 || p.dir == p.top || !given(above, above == p.top) {
		return p.dir
	}
	return above
}

// atBase is the place that groups are made in. A group that was given away has its
// controllers before those below it have any.
func (p place) atBase() (place, error) {
	base := p.base()
	if base == p.dir {
		return p, nil
	}
	p.dir = base
	text, err := ReadText(os.DirFS(base), "cgroup.controllers")
	p.controllers = usable(strings.Fields(text))
	return p, err
}

// given reports whether a group of version 2 was given to this process, so that nobody
// else does anything in it: by systemd, to a user, or as the group of a container.
func given(dir string, top bool) bool {
	mark := make([]byte, 1)
	for _, name := range []string{"user.delegate", "trusted.delegate"} {
		if n, err := unix.Getxattr(dir, name, mark); err == nil && n == 1 && mark[0] == '1' {
			return true
		}
	}
	var st unix.Stat_t
	if user := os.Geteuid(); user != 0 && unix.Stat(dir, &st) == nil && int(st.Uid) == user {
		return true
	}
	// The root of all groups has no type.
	return top && exists(filepath.Join(dir, "cgroup.type"))
}

// delegate makes a controller of version 2 work in the groups below a group.
func delegate(dir, controller string) error {
	file := dir + "/cgroup.subtree_control"
	text, err := read(file)
	if err == nil && slices.Contains(words(text), controller) {
		return nil
	}
	// The kernel refuses memory there. It does not refuse what single threads can be held
	// to, but makes groups of threads of those below, which no process can be born in.
	if occupied(dir) {
		err = unix.EBUSY
	} else {
		err = write(file, "+"+controller)
	}
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("%s: %w: the group has processes of its own, and then none of its"+
			" groups can have a controller", dir, unix.EBUSY)
	}
	return err
}

// occupied reports whether a group has processes of its own and is not the root of all
// groups, which may have them.
func occupied(dir string) bool {
	text, err := read(dir + "/cgroup.procs")
	return (err != nil || len(text) > 0) && exists(dir+"/cgroup.type")
}

// tryBirth finds out whether a process can be started right in a group, without any
// program being executed.
func (h *hierarchy) tryBirth() error {
	dir := filepath.Join(h.dir, "try")
	if err := makeDir(dir); err != nil {
		return err
	}
	defer func() { _ = remove(dir, time.Now().Add(removeTime)) }()
	fd, err := open(dir, unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	pid, err := syscall.ForkExec("", []string{""}, &syscall.ProcAttr{
		Sys: &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: fd},
	})
	if errors.Is(err, unix.ENOENT) {
		return nil // it was born, and found no program
	}
	if err == nil { // see Group.Kill
		_, _ = unix.Wait4(pid, nil, 0, nil)
		err = errors.New("it was killed at once: was the group of this process killed before?")
	}
	return &os.PathError{Op: "start a process in", Path: dir, Err: err}
}

// weigh gives what runs in groups the weight that it would have on its own.
func (h *hierarchy) weigh() {
	if !h.has(CPU) {
		return
	}
	for _, dir := range []string{filepath.Dir(h.dir), h.dir} {
		_ = apply(dir, []setting{weight(h.v2, int64(runtime.NumCPU()))})
	}
}

func (h *hierarchy) close(name string) {
	if h.home >= 0 {
		_ = unix.Close(h.home)
	}
	disown(h.place.dir, name, h.lock)
}

func (s *space) close() {
	for _, h := range s.hierarchies {
		h.close(s.name)
	}
}
