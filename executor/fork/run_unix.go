//go:build linux || darwin

package fork

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/executor"
)

// system is what an executor needs to run processes on systems that have groups
// of them.
type system struct {
	search   search
	locks    *locks       // nil: commands inherit none
	buffers  sync.Pool    // of *[]byte, to read output with
	threads  atomic.Int64 // blocked in waiting for a command
	newWatch func(*system, *child) watch
}

func newSystem() *system {
	return &system{buffers: sync.Pool{New: newBuffer}, newWatch: newWatch}
}

func supported() error { return nil }

func (e *Executor) run(
	ctx context.Context, a *executor.Attempt, c command,
) (executor.Result, error) {
	var err error
	if c.cgroup, err = e.group(a.Job.Resources); err != nil {
		return executor.Result{}, err
	}
	defer c.cgroup.Release()
	p, err := start(ctx, a, c)
	if err != nil {
		return executor.Result{}, err
	}
	defer p.close()
	stop := stopOnEnd(ctx, p, e.grace)
	defer stop.end()
	w := e.system.newWatch(e.system, p)
	defer w.close()
	a.Report(executor.Status{Running: true, Ref: strconv.Itoa(p.pid), Node: e.place(a)})

	w.exit()
	end := p.start.Add(time.Since(p.start)) // also if the clock was set meanwhile
	_, asked := stop.asked()
	left := e.clear(p, w, stop)
	status, usage, err := p.reap()
	if err != nil {
		return executor.Result{}, err
	}
	left = append(left, p.remains()...)
	w.close()

	r := result(status, &usage)
	r.Node, r.Start, r.End = e.place(a), p.start, end
	r.Left, r.Unenforced = describe(left), unenforced(a.Job.Resources, c.cgroup)
	if asked && !r.OK() && errors.Is(context.Cause(ctx), executor.ErrTimeLimit) {
		r.Cause = executor.CauseTime
	}
	outOfMemory(&r, c.cgroup)
	return handedOn(p.outputs, r)
}

// place is where a ran: the runner's nodes need not be called after machines.
func (e *Executor) place(a *executor.Attempt) string {
	if a.Node != "" {
		return a.Node
	}
	return e.node
}

// result says how a command ended and what it used.
func result(status unix.WaitStatus, usage *unix.Rusage) executor.Result {
	r := executor.Result{
		ExitCode:  status.ExitStatus(), // -1 after a signal
		UserCPU:   time.Duration(usage.Utime.Nano()),
		SystemCPU: time.Duration(usage.Stime.Nano()),
		MaxRSS:    usage.Maxrss * rssUnit(),
	}
	if status.Signaled() {
		r.Signal = signalName(status.Signal())
		if status.CoreDump() {
			r.Message = "core dumped"
		}
	}
	return r
}

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return "signal " + strconv.Itoa(int(s)) // those for real time have no name
}

// rssUnit is what the kernel counts memory in, in bytes.
func rssUnit() int64 {
	if runtime.GOOS == "darwin" {
		return 1
	}
	return 1 << 10
}

// handedOn adds what became of output that could not be handed on. A success
// whose output is not all there is none.
func handedOn(outputs []*output, r executor.Result) (executor.Result, error) {
	var err error
	for _, o := range outputs {
		if o.err != nil {
			err = errors.Join(err, fmt.Errorf("fork: %s is lost: %w", o.name, o.err))
		}
	}
	if err == nil {
		return r, nil
	}
	if r.OK() {
		return r, err
	}
	r.Message = strings.TrimPrefix(r.Message+"; "+err.Error(), "; ")
	return r, nil
}
