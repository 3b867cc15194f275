package remote

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/hashicorp/go-multierror"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

// An Executor runs attempts on a fleet of runner daemons. Make one with [New]. All
// its methods may be called concurrently.
type Executor struct {
	config    Config
	session   string
	allocator *capacity.Allocator
	closed    chan struct{}

	mu    sync.Mutex // guards the following; taken before mu of a node
	nodes map[string]*node
	kept  map[string]*node // where keys are that were run and not forgotten
	over  bool
}

var (
	_ executor.Durable    = (*Executor)(nil)
	_ executor.Allocating = (*Executor)(nil)
)

var errClosed = errors.New("remote: the executor is closed")

// New returns an Executor for the nodes of c, and starts to connect to them. It does
// not wait for them: a node that cannot be reached takes no work until it can. The
// error names everything that is wrong with c. Close ends what New has started.
func New(c Config) (*Executor, error) {
	config, err := c.withDefaults()
	var errs *multierror.Error
	errs = multierror.Append(errs, err)
	e := &Executor{
		config:    config,
		session:   rand.Text(),
		allocator: &capacity.Allocator{},
		closed:    make(chan struct{}),
		nodes:     map[string]*node{},
		kept:      map[string]*node{},
	}
	endpoints := make([]*endpoint, len(c.Nodes))
	names := map[string]bool{}
	for i, n := range c.Nodes {
		endpoints[i], err = newEndpoint(n, e.session)
		errs = multierror.Append(errs, err)
		if names[n.Name] {
			errs = multierror.Append(errs, fmt.Errorf("remote: two nodes are called %q", n.Name))
		}
		names[n.Name] = true
	}
	if err := errs.ErrorOrNil(); err != nil {
		return nil, err
	}
	for i, n := range c.Nodes {
		e.add(n.Name, endpoints[i])
	}
	return e, nil
}

// Close lets go of all nodes and waits until nothing of the executor is left in this
// process. Calls of Run return; what they ran goes on, or ends with its lease, unless
// the daemons keep no journal. Calls of Close after the first do the same.
func (e *Executor) Close() error {
	e.mu.Lock()
	if !e.over {
		e.over = true
		close(e.closed)
	}
	nodes := make([]*node, 0, len(e.nodes))
	for _, n := range e.nodes {
		nodes = append(nodes, n)
	}
	e.mu.Unlock()
	for _, n := range nodes {
		n.end()
	}
	return nil
}

// end stops the goroutines of a node and waits for them.
func (n *node) end() {
	n.mu.Lock()
	cancel := n.cancel
	n.mu.Unlock()
	if cancel != nil {
		cancel()
		n.done.Wait()
	}
}

// Allocator has the nodes and what they have: the runner leases from it.
func (e *Executor) Allocator() *capacity.Allocator { return e.allocator }

// Durable reports whether attempts outlive the engine: unless Config.Ephemeral.
func (e *Executor) Durable() bool { return !e.config.Ephemeral }

// Validate refuses what no daemon could run, and what Config.Validate does not
// accept.
func (e *Executor) Validate(job dag.Job) error {
	var errs *multierror.Error
	if len(job.Command) == 0 && job.CommandString == "" && len(job.Options) == 0 {
		errs = multierror.Append(errs, errors.New("there is no command"))
	}
	texts := func(field string, values ...string) {
		for _, v := range values {
			switch {
			case !utf8.ValidString(v):
				errs = multierror.Append(errs, fmt.Errorf("%s: this is not UTF-8", field))
			case strings.ContainsRune(v, 0):
				errs = multierror.Append(errs, fmt.Errorf("%s: there is a zero byte in it", field))
			}
		}
	}
	texts("command", job.Command...)
	texts("environment", job.Environment...)
	texts("workDir", job.WorkDir)
	if job.TimeLimit < 0 {
		errs = multierror.Append(errs, errors.New("timeLimit: this is negative"))
	}
	if e.config.Validate != nil {
		errs = multierror.Append(errs, e.config.Validate(job))
	}
	return errs.ErrorOrNil()
}
