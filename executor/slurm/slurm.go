package slurm

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/daggy-go/daggy/executor"
)

// What a zero [Config] stands for.
const (
	DefaultGrace      = 10 * time.Second
	DefaultInterval   = 5 * time.Second
	DefaultMissing    = time.Minute
	DefaultArraySize  = 1000
	DefaultArrayWait  = 100 * time.Millisecond
	DefaultMaxQueued  = 5000
	DefaultSubmitRate = 200
)

// Config says how jobs are submitted and watched. Dir is required.
type Config struct {
	// Dir is a directory that this machine and all nodes have, at the same path: it
	// has what jobs need, what they leave and their output. It is made if it is not
	// there. Engines that use the same Dir find each other's jobs (E5).
	Dir string
	// Options are settings of all jobs, under those of the DAG's pool and those of
	// the job itself. The package comment lists them.
	Options map[string]any
	// Grace is how long a command that was asked to stop (SIGTERM) may take
	// before it is killed (SIGKILL). 0: [DefaultGrace]. Negative: no time at all.
	Grace time.Duration
	// Interval is the time from one listing of the queue to the next: there is one
	// for all jobs. After one that failed it doubles, up to ten times, and up to a
	// minute. 0: [DefaultInterval].
	Interval time.Duration
	// Missing is how long good listings of the queue, three at least, have to be
	// without a job that has left no report before it is given up. It must be longer
	// than files take to be seen on other machines. 0: [DefaultMissing].
	Missing time.Duration
	// ArraySize is the most instances of a task that are submitted at once, as an
	// array. 0: [DefaultArraySize]. 1: there are no arrays.
	ArraySize int
	// ArrayWait is how long an instance waits for others of its task to be submitted
	// with. 0: [DefaultArrayWait]. Negative: not at all.
	ArrayWait time.Duration
	// MaxQueued is the most jobs that are in the queue at once; others wait here, and
	// instances of a task until there is room for a quarter of it, or for an Interval.
	// 0: [DefaultMaxQueued]. Negative: no limit.
	MaxQueued int
	// SubmitRate is the most submissions in a second; an array is one. There are
	// never more than three at the same time. 0: [DefaultSubmitRate]. Negative: no
	// limit.
	SubmitRate int
	// Env names the variables of this process that commands get, besides those of
	// their job. A trailing '*' stands for any end of a name. Their values are those
	// at the time of [New]. Nil: [DefaultEnv]. Empty, but not nil: none but those that
	// Slurm's commands need, which the package comment names.
	Env []string
	// Commands runs Slurm's commands. Nil: the programs of these names in PATH.
	Commands Commands
	// Logger is told of listings and submissions that fail. Nil: nobody is.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		field *time.Duration
		zero  time.Duration
	}{
		{&c.Grace, DefaultGrace},
		{&c.Interval, DefaultInterval},
		{&c.Missing, DefaultMissing},
		{&c.ArrayWait, DefaultArrayWait},
	} {
		if *d.field == 0 {
			*d.field = d.zero
		}
		*d.field = max(*d.field, 0)
	}
	for _, d := range []struct {
		field *int
		zero  int
	}{
		{&c.ArraySize, DefaultArraySize},
		{&c.MaxQueued, DefaultMaxQueued},
		{&c.SubmitRate, DefaultSubmitRate},
	} {
		if *d.field == 0 {
			*d.field = d.zero
		}
	}
	c.ArraySize = max(c.ArraySize, 1)
	if c.Interval <= 0 {
		c.Interval = DefaultInterval
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// An Executor runs commands as jobs of a Slurm cluster. Make it with [New]. It is
// safe for concurrent use, and holds nothing that would have to be closed: it is
// at work only while a call of Run is.
type Executor struct {
	config    Config
	commands  Commands
	inherited []string
	dir       string // where this process is: the working directory of jobs that name none
	engine    string // who this is, in claims
	real      bool   // the commands are those of this machine
	defaults  settings
	badConfig error
	keeper    keeper
	desk      desk

	mu      sync.Mutex // guards what follows
	stores  map[int]*store
	probed  error             // of the last probe of Dir; errNotProbed before
	tmpDirs map[tmpDirOf]bool // that can be used
}

var (
	_ executor.Executor      = (*Executor)(nil)
	_ executor.Durable       = (*Executor)(nil)
	_ executor.PoolValidator = (*Executor)(nil)
)

// New returns an executor. It cannot fail: [Executor.Validate] says what is
// wrong, with the configuration and with this machine.
func New(c Config) *Executor {
	e := &Executor{
		config:    c.withDefaults(),
		commands:  c.Commands,
		inherited: inherit(c.Env, os.Environ()),
		engine:    engineName(),
		real:      c.Commands == nil,
		stores:    map[int]*store{},
		tmpDirs:   map[tmpDirOf]bool{},
		probed:    errNotProbed,
	}
	if e.real {
		e.commands = local(commandEnviron(os.Environ()))
	}
	if dir, err := os.Getwd(); err == nil {
		e.dir = dir
	}
	e.defaults, e.badConfig = e.settingsOf(c.Options, settings{})
	if e.badConfig == nil {
		e.badConfig = c.check()
	}
	e.keeper.init(e)
	return e
}

// Durable reports that jobs outlive the engine.
func (e *Executor) Durable() bool { return true }

// Forget removes what was kept for the keys, their output too. That they were used
// stays known.
func (e *Executor) Forget(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	stores, err := e.allStores()
	if err != nil {
		return err
	}
	for _, s := range stores {
		if err := s.forget(ctx, keys); err != nil {
			return err
		}
	}
	return nil
}
