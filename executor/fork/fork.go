package fork

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/internal/cgroup"
)

// What a zero [Config] stands for.
const (
	DefaultGrace     = 10 * time.Second
	DefaultWaitDelay = 500 * time.Millisecond
)

// Config says how processes are run. The zero Config is all of this machine.
type Config struct {
	// Allocator is what the runner leases from. It may be shared with other
	// executors. Nil: one node, this machine, with Capacity.
	Allocator *capacity.Allocator
	// Capacity of this machine, if Allocator is nil. Nil: what
	// [capacity.Detect] finds.
	Capacity capacity.Resources
	// Dir makes commands outlive the engine (E5): what belongs to them is kept
	// below this directory, and an executor with the same Dir finds them again. It
	// is made if it is not there, and has to be on a local file system. The package
	// comment says what it takes. "": commands end with the engine.
	Dir string
	// Grace is how long a command that was asked to stop (SIGTERM) may take
	// before it is killed (SIGKILL). 0: [DefaultGrace]. Negative: commands are
	// killed without being asked.
	Grace time.Duration
	// WaitDelay is how long output is still awaited after a command has exited,
	// if a process that it left behind holds its standard output or error. 0:
	// [DefaultWaitDelay]. Negative: it is not awaited at all. More than half a
	// second makes stopping take longer than the grace time and a second.
	WaitDelay time.Duration
	// Env names the variables of this process that commands get too, besides
	// those of their job. A trailing '*' stands for any end of a name. Their
	// values are those at the time of [New]. Nil: [DefaultEnv]. Empty, but not
	// nil: none. "*": all of them.
	Env []string
	// Limits says how commands are held to the resources that they ask for. Zero:
	// by what the machine allows.
	Limits Limits
}

// An Executor runs commands as processes of this machine. Make it with [New].
// It is safe for concurrent use, and holds nothing that would have to be closed: a
// connection to a supervisor is closed a moment after it was last used.
type Executor struct {
	allocator *capacity.Allocator
	detectErr error // the memory of this machine is not known
	node      string
	grace     time.Duration
	waitDelay time.Duration
	inherited inherited
	system    *system
	client    *client // nil: commands end with the engine
	limits    Limits
	groups    *cgroup.Pool // nil: nothing is enforced
}

var (
	_ executor.Executor   = (*Executor)(nil)
	_ executor.Allocating = (*Executor)(nil)
)

// New returns an executor. It cannot fail: when the capacity of this machine
// cannot be detected, the executor has its processors and no other resource, and
// [Executor.Validate] tells jobs that ask for more what went wrong.
func New(c Config) *Executor {
	e := &Executor{
		allocator: c.Allocator,
		node:      hostname(),
		grace:     c.Grace,
		waitDelay: c.WaitDelay,
		inherited: inherit(c.Env, os.Environ()),
		system:    newSystem(),
		limits:    c.Limits,
	}
	if c.Limits.Mode != LimitsOff {
		e.groups = cgroup.NewPool(cgroup.Config{})
	}
	if e.grace == 0 {
		e.grace = DefaultGrace
	}
	if e.waitDelay == 0 {
		e.waitDelay = DefaultWaitDelay
	}
	if c.Dir != "" {
		e.client = newClient(c.Dir)
	}
	if e.allocator == nil {
		e.allocator, e.detectErr = local(e.node, c.Capacity)
	}
	return e
}

// local is an allocator for this machine alone.
func local(name string, total capacity.Resources) (*capacity.Allocator, error) {
	var err error
	if total == nil {
		total, err = capacity.Detect()
	}
	if err != nil {
		total = capacity.Resources{dag.Cores: int64(runtime.NumCPU())}
	}
	return capacity.New(capacity.Node{Name: name, Total: total}), err
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return name
}

// Allocator returns what the runner leases from. It is never nil.
func (e *Executor) Allocator() *capacity.Allocator { return e.allocator }

// Run starts the command of the attempt and waits for its end and for the end of
// everything in its process group. The package comment says what becomes of ctx,
// of the output and of errors.
func (e *Executor) Run(ctx context.Context, a *executor.Attempt) (executor.Result, error) {
	if e.client != nil {
		return e.client.run(ctx, e, a)
	}
	if ctx.Err() != nil {
		return executor.Result{}, fmt.Errorf("fork: not started: %w", context.Cause(ctx))
	}
	c, err := e.command(a)
	if err != nil {
		return executor.Result{}, err
	}
	return e.run(ctx, a, c)
}
