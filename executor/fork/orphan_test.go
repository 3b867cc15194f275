//go:build linux

package fork_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/internal/helperproc"
)

// A supervisor that was killed while an engine is attached: what it ran is stopped,
// and then lost, in the same call of Run.
func TestSupervisorKilled(t *testing.T) {
	t.Parallel()
	dir := place(t)
	e, g := detaching(dir), newGate(t)
	a := attempt(g.job("text", 0))
	c := begin(t, e, a)
	v := g.next()
	killSupervisor(t, dir)
	_, err := c.wait()
	requireLost(t, err, "its supervisor was killed")
	v.ended(t)
	requireDead(t, v.pid)
	g.none()
	// And it stays so.
	_, err = begin(t, detaching(dir), resumed(a)).wait()
	requireLost(t, err, "its supervisor was killed")
	g.none()
}

// So it is if no engine was there, and for what has left the process group, or has
// dropped its environment.
func TestSupervisorKilledAlone(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]string{
		"in a session of its own":                "sow",
		"in a session, without its environment":  "scow",
		"ignoring SIGTERM, as does its ancestor": "stw",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, g := place(t), newGate(t)
			e := fork.New(fork.Config{Dir: dir, Grace: 300 * time.Millisecond})
			a := attempt(helper("spawn", how, "gate", g.listener.Addr().String(), "", "0"))
			requireOrphansLost(t, dir, e, g, a)
		})
	}
}

// So it is, if there are control groups, for what nothing else tells from other
// processes.
func TestSupervisorKilledUnknown(t *testing.T) {
	t.Parallel()
	requireLimits(t)
	for name, how := range map[string]string{
		"and asked":        "sclow",
		"ignoring SIGTERM": "sclotw",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, g := place(t), newGate(t)
			e := fork.New(fork.Config{Dir: dir, Grace: 300 * time.Millisecond})
			a := attempt(helper("spawn", how, "gate", g.listener.Addr().String(), "", "0"))
			requireOrphansLost(t, dir, e, g, a)
			require.NoError(t, helperproc.AwaitSupervisor(dir))
			require.Empty(t, fork.GroupsOf(dir))
		})
	}
}

func requireOrphansLost(
	tb testing.TB, dir string, e *fork.Executor, g *gate, a *executor.Attempt,
) {
	tb.Helper()
	c := begin(tb, e, a)
	v := g.next()
	c.cancel(executor.ErrDetach)
	_, err := c.wait()
	require.ErrorIs(tb, err, executor.ErrDetach)
	killSupervisor(tb, dir)
	require.NoError(tb, unix.Kill(v.pid, 0), "it has outlived its supervisor")
	_, err = begin(tb, fork.New(fork.Config{
		Dir: dir, Capacity: capacity.Resources{dag.Cores: 1},
	}), resumed(a)).wait()
	requireLost(tb, err, "its supervisor was killed")
	v.ended(tb)
	requireDead(tb, v.pid)
	g.none()
}
