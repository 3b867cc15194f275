//go:build linux

package fork_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/internal/helperproc"
)

// What a command leaves behind is ended when it exits, also if it holds no output:
// it has the lock.
func TestDetachedStragglers(t *testing.T) { // E1
	t.Parallel()
	for name, how := range map[string]string{
		"with the output":                         "s",
		"without the output":                      "so",
		"without the output and the environment":  "sco",
		"without anything that tells whose it is": "scol",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t)
			a := attempt(helper("spawn", how, "gate", g.listener.Addr().String(), "", "0"))
			c := begin(t, detaching(place(t)), a)
			v := g.next()
			r, err := c.wait()
			require.NoError(t, err)
			require.True(t, r.OK())
			require.Empty(t, r.Left)
			v.ended(t)
			requireDead(t, v.pid)
		})
	}
}

// A process that is being started has the locks of others until its program is
// executed, which is as if it had been given one. It is not what they left behind.
func TestLockOfAnother(t *testing.T) { // E1
	t.Parallel()
	lock, killHolders, err := fork.Lock(filepath.Join(t.TempDir(), "slots"))
	require.NoError(t, err)
	// What is spawned has another descriptor 3.
	inherited := []*os.File{nil, lock}
	other := helperproc.Exec(t.Context(), "hang")
	other.ExtraFiles = inherited
	require.NoError(t, other.Start())
	left := helperproc.Exec(t.Context(), "spawn", "o", "hang")
	left.ExtraFiles = inherited
	out, err := left.Output()
	require.NoError(t, err)
	require.NoError(t, lock.Close())
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	require.NoError(t, err)

	require.Empty(t, killHolders())
	requireDead(t, pid)
	require.NoError(t, other.Process.Signal(unix.SIGTERM))
	require.ErrorContains(t, other.Wait(), "signal: terminated", "not killed before")
}
