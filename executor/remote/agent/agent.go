package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/internal/boot"
	"github.com/daggy-go/daggy/internal/httpguard"
	"github.com/daggy-go/daggy/internal/keyset"
	"github.com/daggy-go/daggy/internal/private"
)

// An Agent is a runner daemon: a handler of HTTP requests, and what they have it
// do. Make it with [New], and end it with [Agent.Shutdown]. It is safe for
// concurrent use.
type Agent struct {
	config     Config
	dir        string // of the journal and of outputs
	temporary  bool   // dir is removed at the end
	executor   executor.Executor
	durable    executor.Durable // nil: attempts do not outlive the daemon
	keyAlone   bool             // the executor attaches by the key alone
	allocator  *capacity.Allocator
	guard      *httpguard.Guard
	journal    *journal // nil: ephemeral
	logger     *slog.Logger
	start      string // of this daemon
	boot       string // of the machine
	ticketBoot string
	salt       string // of hashes
	growths    growths
	ending     chan struct{} // closed by Shutdown
	silent     chan struct{} // closed when nothing will change any more
	fallSilent func()        // closes it
	closed     func() error  // closeFiles, once
	running    sync.WaitGroup
	writing    sync.WaitGroup // the journal's goroutine
	works      chan work
	idlers     atomic.Int32
	leases     leases
	keeping    keeping
	forgetter  forgetter

	mu       sync.Mutex // guards the following. Nothing blocks under it
	attempts map[string]*attempt
	used     *keyset.Set // keys of which no more is known
	sessions map[string]*session
	rev      uint64
	open     int        // attempts that are not over
	ended    int        // and those that are
	order    []*attempt // that have ended, in the order in which they did
	light    int        // so many of them, from the first, keep no output
	retained int64      // bytes of their output
	draining bool
	closing  bool
	idle     []chan struct{} // closed when nothing is open
	watchers map[*stream]struct{}
}

// New returns a daemon that works: it has read its journal, and attached to what
// it finds to be running. It does not listen; see [Agent.Serve].
func New(ctx context.Context, c Config) (*Agent, error) { return newAgent(ctx, c, openFiles) }

func newAgent(ctx context.Context, c Config, openStore storeOpener) (*Agent, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	a := &Agent{
		config: c, dir: c.Dir, executor: c.Executor, logger: c.Logger,
		allocator: capacity.New(capacity.Node{Name: c.Node, Total: c.Capacity}),
		start:     randomID(), boot: boot.ID(), ending: make(chan struct{}),
		attempts: map[string]*attempt{}, used: keyset.New(), sessions: map[string]*session{},
		watchers: map[*stream]struct{}{}, works: make(chan work),
		silent: make(chan struct{}),
	}
	a.fallSilent = sync.OnceFunc(func() { close(a.silent) })
	a.closed = sync.OnceValue(a.closeFiles)
	a.keeping.wanted = c.kept
	a.forgetter.wake, a.leases.wake = make(chan struct{}, 1), make(chan struct{}, 1)
	if d, ok := executor.As[executor.Durable](c.Executor); ok && d.Durable() && !c.Ephemeral {
		a.durable = d
		// One that refuses a job without a command cannot start one.
		a.keyAlone = c.Executor.Validate(dag.Job{}) != nil
	}
	if err := a.routes(); err != nil {
		return nil, err
	}
	if err := a.makeDir(); err != nil {
		return nil, err
	}
	a.ticketBoot = ticketBootOf(a.boot, a.start)
	a.salt = a.start
	if !c.Ephemeral {
		if err := a.openJournal(ctx, openStore); err != nil {
			return nil, err
		}
		a.salt = a.journal.id
	}
	if err := a.begin(); err != nil {
		return nil, errors.Join(err, a.Shutdown(ctx))
	}
	return a, nil
}

// makeDir makes the directory and those in it, for nobody else.
func (a *Agent) makeDir() (err error) {
	if a.dir == "" {
		if a.dir, err = os.MkdirTemp("", "daggy-agent-"); err != nil {
			return fmt.Errorf("agent: %w", err)
		}
		a.temporary = true
	}
	if a.dir, err = filepath.Abs(a.dir); err != nil {
		return fmt.Errorf("agent: Config.Dir: %w", err)
	}
	names := []string{outputsName}
	if !a.config.Ephemeral {
		names = append(names, journalName)
	}
	for _, name := range names {
		dir := filepath.Join(a.dir, name)
		if err = os.MkdirAll(dir, 0o700); err == nil {
			err = private.Dir(dir)
		}
		if err != nil {
			return fmt.Errorf("agent: Config.Dir: %w", err)
		}
	}
	if err := private.Parent(a.dir); err != nil {
		return fmt.Errorf("agent: Config.Dir: %w", err)
	}
	return nil
}

// begin starts what goes on until Shutdown.
func (a *Agent) begin() error {
	a.sweepOutputs()
	if a.journal != nil {
		a.writing.Go(a.journal.write)
	}
	a.running.Go(a.keepLeases)
	a.running.Go(a.forget)
	a.running.Go(a.evict)
	// What must not run any more is stopped before anything else.
	a.checkLeases(boot.Since())
	if err := a.startKeeping(); err != nil {
		return err
	}
	a.resume()
	return nil
}

// Drain has nothing new taken, and returns when nothing is open any more, or ctx
// ends.
func (a *Agent) Drain(ctx context.Context) error {
	a.setDraining()
	a.mu.Lock()
	if a.open == 0 {
		a.mu.Unlock()
		return nil
	}
	idle := make(chan struct{})
	a.idle = append(a.idle, idle)
	a.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-a.ending:
		return errEnding
	case <-ctx.Done():
		return fmt.Errorf("agent: drain: %w", context.Cause(ctx))
	}
}

func (a *Agent) setDraining() {
	a.mu.Lock()
	a.draining = true
	for s := range a.watchers {
		s.wake()
	}
	a.mu.Unlock()
	a.allocator.Drain(a.config.Node)
}

// Errors of a daemon that ends.
var (
	errEnding   = errors.New("agent: the daemon ends")
	errClosed   = errors.New("agent: closed on request")
	errLease    = errors.New("agent: its lease is over")
	errShutdown = errors.New("agent: stopped at the end of the daemon")
)

// Shutdown ends the daemon. What outlives it is left alone, everything else is
// stopped; ctx bounds how long it is waited for that. Requests that wait are
// answered, streams end when they have told what there is to be told, if they are
// served for so long. It may be called more than once, and returns the error of the
// journal, if it could not be written to its end.
func (a *Agent) Shutdown(ctx context.Context) error {
	a.mu.Lock()
	first := !a.closing
	a.closing = true
	var live []*attempt
	for _, at := range a.attempts {
		if at.live && at.open() {
			live = append(live, at)
		}
	}
	a.mu.Unlock()
	if first {
		close(a.ending)
	}
	for _, at := range live {
		a.letGo(at)
	}
	over := make(chan struct{})
	go func() {
		a.running.Wait()
		if a.journal != nil {
			a.journal.close()
		}
		a.writing.Wait()
		a.fallSilent()
		close(over)
	}()
	select {
	case <-over:
	case <-ctx.Done():
		a.fallSilent()
		return fmt.Errorf("agent: shutdown: %w", context.Cause(ctx))
	}
	return a.closed()
}

// letGo ends the call for an attempt: what outlives the daemon goes on.
func (a *Agent) letGo(at *attempt) {
	if a.durable != nil {
		at.stop(executor.ErrDetach)
		return
	}
	a.mu.Lock()
	if at.open() && at.stopped == "" {
		a.mark(at, stopping{why: stoppedShutdown})
	}
	a.mu.Unlock()
	at.stop(errShutdown)
}

func (a *Agent) closeFiles() error {
	var err error
	if a.journal != nil {
		err = errors.Join(a.journal.problem(), a.journal.log.Close())
	}
	if a.temporary {
		err = errors.Join(err, os.RemoveAll(a.dir))
	}
	return err
}

// Allocator returns what the daemon leases from, for the node it is.
func (a *Agent) Allocator() *capacity.Allocator { return a.allocator }
