//go:build linux || darwin

package fork

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/internal/cgroup"
)

// child is a command that was started. Its process ID, which is its process
// group too, belongs to it until reap is called, even after it has exited: the
// kernel gives no number away that a zombie has. Nothing signals it afterwards.
type child struct {
	pid     int
	pidfd   int // -1: none
	mark    mark
	cgroup  *cgroup.Group // nil: it has none of its own
	outputs []*output
	start   time.Time
	given   time.Time // until when what it left behind is dealt with
	reaped  bool
}

// start executes c. On an error nothing was started.
func start(ctx context.Context, a *executor.Attempt, c command) (*child, error) {
	p := &child{pidfd: -1, mark: mark{a.Key, c.lock.slot}, cgroup: c.cgroup}
	var d descriptors
	defer d.close()
	d.inherit(c.lock)
	if err := d.open(p, a.Stdout, a.Stderr); err != nil {
		p.closeOutputs()
		return nil, err
	}
	p.start = time.Now()
	pid, err := forkExec(ctx, c, d.all(), &p.pidfd)
	if err != nil {
		p.closeOutputs()
		if err := limitErr(err, c.cgroup); err != nil {
			return nil, err
		}
		return nil, explain(err, c)
	}
	p.pid = pid
	return p, nil
}

// forkExec leaves package os/exec aside, which costs a tenth more. While another
// thread is between fork and exec it may hold a file that was just written open
// for writing, and executing that file fails (golang/go#22315): that is over
// soon.
func forkExec(
	ctx context.Context, c command, fds []uintptr, pidfd *int,
) (pid int, err error) {
	attr := &syscall.ProcAttr{Dir: c.dir, Env: c.env, Files: fds, Sys: ownGroup(pidfd)}
	for pause := time.Millisecond; ; pause *= 2 {
		err = c.cgroup.Start(attr.Sys, func() error {
			pid, err = syscall.ForkExec(c.path, c.argv, attr)
			return err
		})
		if !errors.Is(err, unix.ETXTBSY) || pause > 64*time.Millisecond {
			return pid, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return 0, err
		}
	}
}

// killGroup ends what is left of the process group. A process that is being
// forked meanwhile is part of it: the kernel does not let it get away.
func (p *child) killGroup() { _ = unix.Kill(-p.pid, unix.SIGKILL) }

// reap takes the exit status of a command that has exited. From then on its
// process ID may be anybody's.
func (p *child) reap() (unix.WaitStatus, unix.Rusage, error) {
	var (
		status unix.WaitStatus
		usage  unix.Rusage
		err    error = unix.EINTR
	)
	p.reaped = true
	for errors.Is(err, unix.EINTR) {
		_, err = unix.Wait4(p.pid, &status, 0, &usage)
	}
	if err != nil {
		return 0, usage, fmt.Errorf("fork: the exit of process %d was collected by others: %w",
			p.pid, err)
	}
	return status, usage, nil
}

// close lets go of everything, whatever happened before: a writer may have
// panicked.
func (p *child) close() {
	if !p.reaped {
		p.killGroup()
		p.cgroup.Kill(time.Now().Add(clearTime))
		_, _, _ = p.reap()
	}
	p.closeOutputs()
	if p.pidfd >= 0 {
		_ = unix.Close(p.pidfd)
		p.pidfd = -1
	}
}

func (p *child) closeOutputs() {
	for _, o := range p.outputs {
		o.close()
	}
}
