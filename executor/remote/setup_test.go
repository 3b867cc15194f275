package remote_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/executortest"
	"github.com/daggy-go/daggy/executor/remote"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
	"github.com/daggy-go/daggy/internal/helperproc"
)

func TestMain(m *testing.M) {
	executortest.Main()
	helperproc.Main(modes())
	goleak.VerifyTestMain(m)
}

// open returns an executor for these daemons.
func open(t *testing.T, c remote.Config, daemons ...*daemon) *remote.Executor {
	t.Helper()
	for _, d := range daemons {
		c.Nodes = append(c.Nodes, d.node())
	}
	e, err := remote.New(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func cores(n int64) capacity.Resources { return capacity.Resources{dag.Cores: n} }

func sleep(d time.Duration) { <-time.After(d) }

func isLost(t *testing.T, err error) {
	t.Helper()
	_, ok := errors.AsType[*executor.LostError](err)
	require.True(t, ok, "%v", err)
}

// A call is one call of Run.
type call struct {
	*executor.Attempt
	stdout, stderr lockedBuffer
	cancel         context.CancelCauseFunc
	done           chan struct{}
	result         executor.Result
	err            error

	mu       sync.Mutex
	statuses []executor.Status
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start calls Run for a new attempt on a node.
func start(t *testing.T, e *remote.Executor, node, key string, with ...func(*call)) *call {
	t.Helper()
	c := &call{done: make(chan struct{})}
	c.Attempt = &executor.Attempt{
		Run: "run", Task: "task", Instance: "task", Number: 1, Key: key, Node: node,
		Job: dag.Command("true"), Stdout: &c.stdout, Stderr: &c.stderr,
		OnReport: func(s executor.Status) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.statuses = append(c.statuses, s)
		},
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	c.cancel = cancel
	for _, f := range with {
		f(c)
	}
	go func() {
		defer close(c.done)
		c.result, c.err = e.Run(ctx, c.Attempt)
	}()
	return c
}

func resumed(c *call) { c.Resumed = true }

// submitted returns a daemon, an executor with it as its only node, "a", and a call of
// key "k1" that the daemon has accepted.
func submitted(t *testing.T, c remote.Config) (*daemon, *remote.Executor, *call) {
	t.Helper()
	d := newDaemon(t, "a")
	e := open(t, c, d)
	k1 := start(t, e, "a", "k1")
	synctest.Wait()
	return d, e, k1
}

// running is submitted, with a call that is known to run.
func running(t *testing.T, c remote.Config) (*daemon, *remote.Executor, *call) {
	t.Helper()
	d, e, k1 := submitted(t, c)
	d.runs("k1")
	synctest.Wait()
	return d, e, k1
}

// completes has a call succeed, and waits for that.
func (d *daemon) completes(t *testing.T, c *call) {
	t.Helper()
	d.ends(c.Key, wire.Outcome{Inline: true})
	<-c.done
	require.NoError(t, c.err)
}

func (c *call) over() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// last returns the last status that was reported.
func (c *call) last() executor.Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.statuses) == 0 {
		return executor.Status{}
	}
	return c.statuses[len(c.statuses)-1]
}
