//go:build linux

package fork_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
)

// A fork bomb gets no further than its bound, and nothing of it is left.
func TestForkBomb(t *testing.T) { // E1, E6
	t.Parallel()
	for way, e := range waysToLimit(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			job := helper("bomb", "1000")
			job.Resources = dag.Resources{fork.Pids: 50}
			requireBounded(t, e, job)
			job.Resources = nil
			requireBounded(t, fork.RequirePids(e, 50), job)
		})
	}
}

func requireBounded(t *testing.T, e *fork.Executor, job dag.Job) {
	t.Helper()
	r, stdout, stderr := run(t, e, job)
	require.True(t, r.OK(), "%v: %s", r, stderr)
	require.Empty(t, r.Left)
	require.Empty(t, r.Unenforced)
	var n int
	_, err := fmt.Sscan(stdout, &n)
	require.NoError(t, err, stdout)
	require.Less(t, n, 50, stdout)
}

// Whatever attempts did in the groups that they had, those who come after them do not
// notice.
func TestNobodyNotices(t *testing.T) { // E1, E6
	t.Parallel()
	source := *seed
	if source == 0 {
		source = rand.Uint64()
	}
	t.Logf("-seed=%d", source)
	for way, e := range waysToLimit(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			const workers, each = 4, 12
			done := make(chan error)
			for w := range workers {
				go func() {
					random := rand.New(rand.NewPCG(source, uint64(w)))
					var err error
					for range each {
						err = errors.Join(err, anything(e, random))
					}
					done <- err
				}()
			}
			for range workers {
				require.NoError(t, <-done)
			}
		})
	}
}

// anything runs one of the things that may happen in a group, and reports what should
// not have come of it.
func anything(e *fork.Executor, random *rand.Rand) error {
	memory := strconv.Itoa(200 << 20)
	kinds := []struct {
		want string
		job  dag.Job
		stop bool
	}{
		{"success", helper("exit", "0"), false},
		{"success", helper("exit", "0"), false},
		{"failure (exit 3)", helper("exit", "3"), false},
		{"failure (SIGKILL)", helper("signal", "9"), false},
		{"success", helper("spawn", "scol", "trap"), false},
		{"success", helper("spawn", "o", "hang"), false},
		{"failure (out of memory)", helper("memory", memory), false},
		{"failure (SIGTERM)", helper("hang"), true},
	}
	kind := kinds[random.IntN(len(kinds))]
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a := attempt(kind.job)
	if kind.job.Command[2] == "memory" || random.IntN(2) == 0 {
		a.Job.Resources = limited
	}
	if kind.stop {
		a.Stdout = writerFunc(func(p []byte) (int, error) {
			cancel()
			return len(p), nil
		})
	}
	r, err := e.Run(ctx, a)
	// On a slow machine the grace time may be over before it has ended.
	ok := r.String() == kind.want || kind.stop && r.Signal == "SIGKILL"
	if err == nil && (!ok || len(r.Left)+len(r.Unenforced) > 0) {
		err = fmt.Errorf("%q is %+v, and not %s", kind.job.Command[2:], r, kind.want)
	}
	return err
}

// What has left the process group and the session, dropped its environment and its
// outputs, and ignores SIGTERM, is gone when the attempt is over.
func TestWholeTreeIsKilled(t *testing.T) { // E1, E2
	t.Parallel()
	for name, c := range map[string]struct {
		how  string
		stop error // nil: the command exits by itself
	}{
		"normal exit":                {"scolt", nil},
		"normal exit, with outputs":  {"sclt", nil},
		"killed":                     {"scoltw", context.Canceled},
		"time limit":                 {"scoltw", executor.ErrTimeLimit},
		"time limit, within its own": {"coltw", executor.ErrTimeLimit},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for way, e := range waysToLimit(t) {
				t.Run(way, func(t *testing.T) {
					t.Parallel()
					g := newGate(t)
					address := g.listener.Addr().String()
					call := begin(t, e, attempt(helper("spawn", c.how, "gate", address, "", "0")))
					v := g.next()
					if c.stop != nil {
						call.cancel(c.stop)
					}
					r, err := call.wait()
					require.NoError(t, err)
					require.Empty(t, r.Left)
					require.Equal(t, c.stop == nil, r.OK())
					v.ended(t)
					requireDead(t, v.pid)
				})
			}
		})
	}
}
