//go:build linux

package fork_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

// Who takes more memory than it asked for is killed, and said to be; nobody else is.
func TestOutOfMemory(t *testing.T) { // E6
	t.Parallel()
	for way, e := range waysToLimit(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			g := newGate(t)
			sibling := attempt(g.job("", 0))
			sibling.Job.Resources = limited
			c := begin(t, e, sibling)
			v := g.next()

			job := helper("memory", strconv.Itoa(200<<20))
			job.Resources = limited
			r, _, _ := run(t, e, job)
			require.Equal(t, executor.CauseMemory, r.Cause)
			require.Equal(t, "failure (out of memory)", r.String())
			require.Equal(t, "SIGKILL", r.Signal)
			require.InDelta(t, 64<<20, r.MaxRSS, 1<<20, "the kernel lets some through")
			require.Regexp(t, `^out of memory: it had 6[34](\.\d+)? MiB, and may have 64 MiB$`,
				r.Message)
			require.Empty(t, r.Unenforced)

			v.letGo(t)
			r, err := c.wait()
			require.NoError(t, err)
			require.True(t, r.OK(), r)
			require.Equal(t, "done", c.stdout.String())
		})
	}
}

// If the kernel kills a descendant, it is for the command to say what that means; in
// version 2 the kernel kills the command too.
func TestDescendantOutOfMemory(t *testing.T) { // E6
	t.Parallel()
	for way, e := range waysToLimit(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			size := strconv.Itoa(200 << 20)
			job := helper("despite", "3", "memory", size)
			job.Resources = limited
			r, _, _ := run(t, e, job)
			require.Equal(t, executor.CauseMemory, r.Cause)
			require.True(t, r.ExitCode == 3 || r.Signal == "SIGKILL", "%+v", r)

			job = helper("despite", "0", "memory", size)
			job.Resources = limited
			r, _, _ = run(t, e, job)
			require.True(t, r.OK() || r.Cause == executor.CauseMemory, "%+v", r)
			job = helper("exit", "3")
			job.Resources = limited
			r, _, _ = run(t, e, job)
			require.Equal(t, "failure (exit 3)", r.String(), "that was another one's memory")
		})
	}
}

// Who takes less is not, and neither is who comes after one that was.
func TestEnoughMemory(t *testing.T) { // E6
	t.Parallel()
	for way, e := range waysToLimit(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			for _, size := range []int{1, 200, 1} {
				job := helper("memory", strconv.Itoa(size<<20))
				job.Resources = limited
				r, _, _ := run(t, e, job)
				require.Equal(t, size < 64, r.OK(), "%d MiB: %v", size, r)
			}
			job := helper("signal", "9")
			job.Resources = limited
			r, _, _ := run(t, e, job)
			require.Equal(t, "failure (SIGKILL)", r.String(), "by somebody else")
		})
	}
}

// So little memory that nothing can run is not tried for ever.
func TestHardlyAnyMemory(t *testing.T) {
	t.Parallel()
	for way, e := range waysToLimit(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			a := attempt(helper("args", strings.Repeat("x", 100_000)))
			a.Job.Resources = dag.Resources{dag.MemoryMB: 1}
			r, err := e.Run(t.Context(), a)
			_, again := errors.AsType[*executor.NotStartedError](err)
			require.False(t, again, "%v", err)
			require.True(t, err != nil || r.Cause == executor.CauseMemory || r.OK(), "%v", r)
		})
	}
}
