package remote_test

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/executortest"
	"github.com/daggy-go/daggy/executor/remote"
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
