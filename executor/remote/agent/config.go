package agent

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"runtime"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/executor/remote/agent/internal/keeper"
	"github.com/daggy-go/daggy/internal/httpguard"
)

// What a zero [Config] stands for.
const (
	DefaultRetainAge   = 7 * 24 * time.Hour
	DefaultRetainBytes = 1 << 30
	DefaultMaxOpen     = 100_000
)

// Who may call, and how to listen.
type (
	// Auth says who may call. The zero Auth is nobody.
	Auth = httpguard.Auth
	// Listening says where and how a daemon listens.
	Listening = httpguard.Listening
	// TLS has the certificates.
	TLS = httpguard.TLS
	// Role is what a caller may do.
	Role = httpguard.Role
)

// Config says what a daemon runs, and where it remembers that.
type Config struct {
	// Dir is where the journal and outputs are kept, and what belongs to the
	// default executor. It is made if it is not there. Required, unless Ephemeral.
	Dir string
	// Ephemeral: no journal. Everything is stopped when the daemon ends, and it
	// knows nothing of it afterwards. Outputs are kept in Dir while it runs, or
	// with the temporary files of the system.
	Ephemeral bool
	// Executor runs the attempts. Nil: processes of this machine, [fork.New],
	// which outlive the daemon unless it is Ephemeral.
	Executor executor.Executor
	// Grace is how long a process that was asked to stop may take, before it is
	// killed, with the default executor. 0: [fork.DefaultGrace].
	Grace time.Duration
	// Limits says how the default executor holds processes to the resources that they
	// ask for. Zero: by what the machine allows.
	Limits fork.Limits
	// StopTime is how long it takes at most, with another executor, from when an
	// attempt is stopped until nothing of it is left. 0: not known; then clients that
	// cannot reach the daemon never take an attempt for lost.
	StopTime time.Duration
	// Capacity overrides what is detected of this machine, resource by resource;
	// 0 cores are all of them. Nil: all but two cores, at least one, and three
	// quarters of the memory, at least 100 MB.
	Capacity capacity.Resources
	// Node is the name of this machine. "": the host name.
	Node string
	// Auth says who may call. The zero Auth lets nobody in.
	Auth Auth
	// Hosts are the names that callers use for this machine, without ports. See
	// the package comment.
	Hosts []string
	// RetainAge is how long outcomes that nobody acknowledges are kept, and
	// RetainBytes how much of their output, apart from that which ended last. 0:
	// [DefaultRetainAge] and [DefaultRetainBytes]. Negative: no limit.
	RetainAge   time.Duration
	RetainBytes int64
	// MaxOpen is how many attempts may be there that are not over. 0:
	// [DefaultMaxOpen].
	MaxOpen int
	// AllowRoot: run jobs as root for callers from the network.
	AllowRoot bool
	// Version of the program, which the health says.
	Version string
	// Logger is told of trouble. Nil: nobody is.
	Logger *slog.Logger

	kept bool // leases are kept although the daemon is dead
}

// withDefaults checks everything at once.
func (c Config) withDefaults() (Config, error) {
	var problems *multierror.Error
	if c.Dir == "" && !c.Ephemeral {
		problems = multierror.Append(problems, errors.New("agent: Config.Dir is missing: it is"+
			" where the journal is kept; without one set Config.Ephemeral"))
	}
	if c.MaxOpen < 0 {
		problems = multierror.Append(problems,
			fmt.Errorf("agent: Config.MaxOpen is %d: it cannot be negative", c.MaxOpen))
	}
	if c.Node == "" {
		c.Node = hostname()
	}
	if c.RetainAge == 0 {
		c.RetainAge = DefaultRetainAge
	}
	if c.RetainBytes == 0 {
		c.RetainBytes = DefaultRetainBytes
	}
	if c.MaxOpen == 0 {
		c.MaxOpen = DefaultMaxOpen
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	total, err := nodeCapacity(c.Capacity)
	if err != nil {
		problems = multierror.Append(problems, err)
	}
	c.Capacity = total
	if c.Executor == nil {
		forked := fork.Config{
			Allocator: new(capacity.Allocator), Grace: c.Grace, Limits: c.Limits,
		}
		// Killing takes a second at most, see package fork. If the daemon is dead, it
		// begins later.
		c.Grace = cmp.Or(c.Grace, fork.DefaultGrace)
		c.StopTime = max(0, c.Grace) + keeper.Slack + 2*time.Second
		if !c.Ephemeral {
			forked.Dir, c.kept = c.Dir, true
		}
		c.Executor = fork.New(forked)
	}
	return c, problems.ErrorOrNil()
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return name
}

// nodeCapacity is what a daemon leases (C2): it leaves room for what else runs on
// the machine. What is overridden is taken as it is, except that 0 cores are all.
func nodeCapacity(override capacity.Resources) (capacity.Resources, error) {
	for name, amount := range override {
		if amount < 0 {
			return nil, fmt.Errorf("agent: Config.Capacity: %d %s: it cannot be negative",
				amount, name)
		}
	}
	total, err := capacity.DetectDaemon()
	if err != nil {
		// What was not detected can still be said.
		if _, there := override[dag.MemoryMB]; !there {
			return nil, fmt.Errorf("agent: the capacity of this machine is not known, set"+
				" Config.Capacity[%q]: %w", dag.MemoryMB, err)
		}
		total = capacity.Resources{dag.Cores: int64(runtime.NumCPU())}
	}
	maps.Copy(total, override)
	if cores, there := override[dag.Cores]; there && cores == 0 {
		total[dag.Cores] = int64(runtime.NumCPU())
		if all, err := capacity.Detect(); err == nil {
			total[dag.Cores] = all[dag.Cores]
		}
	}
	return total, nil
}
