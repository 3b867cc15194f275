//go:build linux

package fork_test

import (
	"testing"
	"time"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/executortest"
	"github.com/daggy-go/daggy/executor/fork"
)

func TestDetachedConformance(t *testing.T) {
	t.Parallel()
	dirs := map[executor.Executor]string{}
	open := func(dir string, grace time.Duration) executor.Executor {
		e := fork.New(fork.Config{
			Dir:      dir,
			Grace:    grace,
			Capacity: capacity.Resources{dag.Cores: 4, dag.MemoryMB: 1024},
		})
		dirs[e] = dir
		return e
	}
	executortest.Run(t, executortest.Config{
		New: func(tb testing.TB) executor.Executor {
			tb.Helper()
			return open(tb.TempDir(), 10*time.Second)
		},
		Impatient: func(tb testing.TB) executor.Executor {
			tb.Helper()
			return open(tb.TempDir(), 100*time.Millisecond)
		},
		Jobs:   executortest.Processes(),
		Weaker: executortest.Weaker{NoPanics: "commands are other processes"},
		Kill: func(tb testing.TB, ex executor.Executor) {
			tb.Helper()
			killSupervisor(tb, dirs[ex])
		},
		Restart: func(tb testing.TB, ex executor.Executor) executor.Executor {
			tb.Helper()
			return open(dirs[ex], 10*time.Second)
		},
	})
}
