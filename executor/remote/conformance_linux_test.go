package remote_test

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/executortest"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/executor/remote"
	"github.com/daggy-go/daggy/executor/remote/agent"
)

// A site is what stands behind an executor of the conformance test: a daemon in this
// process that runs real commands, on a real socket.
type site struct {
	url    string
	dir    string
	daemon *agent.Agent
}

// sites are those of a test, by the executors that use them.
type sites struct {
	base   string
	mu     sync.Mutex
	count  int
	behind map[executor.Executor]site
}

// open boots a daemon and returns an executor for it.
func (s *sites) open(tb testing.TB, grace time.Duration) executor.Executor {
	tb.Helper()
	s.mu.Lock()
	s.count++
	dir := filepath.Join(s.base, strconv.Itoa(s.count))
	s.mu.Unlock()
	own := capacity.Resources{dag.Cores: 1000, dag.MemoryMB: 100000}
	a, err := agent.New(tb.Context(), agent.Config{
		Dir: dir, Node: "node", Capacity: own,
		Executor: fork.New(fork.Config{
			Dir: dir, Grace: grace, Allocator: capacity.New(),
		}),
		Auth: agent.Auth{InsecureLoopback: true},
	})
	require.NoError(tb, err)
	server := httptest.NewServer(a)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(tb, a.Shutdown(ctx))
		server.CloseClientConnections()
		server.Close()
	})
	return s.engine(tb, site{server.URL, dir, a})
}

// engine returns an executor, as a new engine would have it.
func (s *sites) engine(tb testing.TB, at site) executor.Executor {
	tb.Helper()
	e, err := remote.New(remote.Config{
		Nodes:    []remote.Node{{Name: "node", URL: at.url}},
		Validate: fork.New(fork.Config{}).Validate,
	})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, e.Close()) })
	require.NoError(tb, e.Await(tb.Context()))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behind[e] = at
	return e
}

// The rules hold through the wire: client, HTTP, daemon, fork, process.
func TestConformance(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	s := &sites{base: base, behind: map[executor.Executor]site{}}
	t.Cleanup(func() { removeAll(t, base) })
	executortest.Run(t, executortest.Config{
		New: func(tb testing.TB) executor.Executor {
			tb.Helper()
			return s.open(tb, 10*time.Second)
		},
		Impatient: func(tb testing.TB) executor.Executor {
			tb.Helper()
			return s.open(tb, 100*time.Millisecond)
		},
		Restart: func(tb testing.TB, ex executor.Executor) executor.Executor {
			tb.Helper()
			return s.engine(tb, s.behind[ex])
		},
		Kill: func(tb testing.TB, ex executor.Executor) {
			tb.Helper()
			killSupervisor(tb, s.behind[ex].dir)
		},
		NotStarted: s.full,
		Lost:       s.treacherous,
		Jobs:       executortest.Processes(),
		Weaker:     executortest.Weaker{NoPanics: "commands are other processes"},
	})
}

// full is a daemon that has no room, because somebody else has it all.
func (s *sites) full(tb testing.TB) executortest.Fault {
	tb.Helper()
	e := s.open(tb, 10*time.Second)
	theirs := s.behind[e].daemon.Allocator()
	lease := theirs.Restore("node", theirs.Nodes()[0].Total)
	return executortest.Fault{
		Executor: e, Job: executortest.Processes().Wait, Relieve: lease.Release,
	}
}

// treacherous is an executor of which the supervisor is killed when the job runs.
func (s *sites) treacherous(tb testing.TB) executortest.Fault {
	tb.Helper()
	e := s.open(tb, 100*time.Millisecond)
	return executortest.Fault{
		Job: executortest.Processes().Wait,
		Executor: executor.RunFunc(func(
			ctx context.Context, a *executor.Attempt,
		) (executor.Result, error) {
			traitor := *a
			traitor.OnReport = func(st executor.Status) {
				if st.Running {
					killSupervisor(tb, s.behind[e].dir)
				}
			}
			return e.Run(ctx, &traitor)
		}),
	}
}

// killSupervisor kills what keeps the commands of a directory.
func killSupervisor(tb testing.TB, dir string) {
	tb.Helper()
	supervisors := func() []int { return processesOf(tb, "daggy-fork-supervisor\x00"+dir) }
	require.NotEmpty(tb, supervisors())
	for _, pid := range supervisors() {
		require.NoError(tb, unix.Kill(pid, unix.SIGKILL))
	}
	require.Eventually(tb, func() bool { return len(supervisors()) == 0 }, patience,
		time.Millisecond)
}

// removeAll removes a directory whose supervisors may still be about to end.
func removeAll(tb testing.TB, dir string) {
	tb.Helper()
	require.Eventually(tb, func() bool { return os.RemoveAll(dir) == nil },
		time.Minute, 10*time.Millisecond)
}
