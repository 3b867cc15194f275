//go:build linux

package fork_test

import (
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/executortest"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/internal/helperproc"
)

// places are directories that a test uses one after the other.
type places struct {
	base string
	dirs map[executor.Executor]string
}

// open returns an executor with a directory, a new one if dir is "".
func (p places) open(dir string, grace time.Duration) executor.Executor {
	if dir == "" {
		dir = filepath.Join(p.base, strconv.Itoa(len(p.dirs)))
	}
	e := fork.New(fork.Config{
		Dir:      dir,
		Grace:    grace,
		Capacity: capacity.Resources{dag.Cores: 4, dag.MemoryMB: 1024},
	})
	p.dirs[e] = dir
	return e
}

func TestDetachedConformance(t *testing.T) {
	t.Parallel()
	p := places{t.TempDir(), map[executor.Executor]string{}}
	t.Cleanup(func() {
		for _, dir := range p.dirs {
			require.NoError(t, helperproc.AwaitSupervisor(dir))
		}
	})
	const patient, impatient = 10 * time.Second, 100 * time.Millisecond
	executortest.Run(t, executortest.Config{
		New:       func(testing.TB) executor.Executor { return p.open("", patient) },
		Impatient: func(testing.TB) executor.Executor { return p.open("", impatient) },
		Restart: func(_ testing.TB, ex executor.Executor) executor.Executor {
			return p.open(p.dirs[ex], patient)
		},
		Kill: func(tb testing.TB, ex executor.Executor) {
			tb.Helper()
			killSupervisor(tb, p.dirs[ex])
		},
		NotStarted: func(tb testing.TB) executortest.Fault {
			tb.Helper()
			return p.fewDescriptors(tb)
		},
		Jobs:   executortest.Processes(),
		Weaker: executortest.Weaker{NoPanics: "commands are other processes"},
	})
}
