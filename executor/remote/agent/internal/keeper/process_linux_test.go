package keeper_test

import (
	"context"
	"crypto/rand"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/executor/remote/agent/internal/keeper"
	"github.com/daggy-go/daggy/internal/boot"
	"github.com/daggy-go/daggy/internal/helperproc"
)

func TestMain(m *testing.M) {
	helperproc.Main(nil)
	os.Exit(m.Run())
}

const patience = 2 * time.Minute

// hanging starts a command that goes on for ever, and returns what Run returns.
func hanging(t *testing.T, dir, key string) <-chan error {
	t.Helper()
	e := fork.New(fork.Config{Dir: dir, Allocator: &capacity.Allocator{}})
	over := make(chan error, 1)
	running := make(chan struct{})
	go func() {
		_, err := e.Run(context.Background(), &executor.Attempt{
			Run: "r", Task: "t", Instance: "t", Number: 1, Key: key,
			Job:    dag.Command(helperproc.Command("hang")...),
			Stdout: io.Discard, Stderr: io.Discard,
			OnReport: func(s executor.Status) {
				if s.Running {
					close(running)
				}
			},
		})
		over <- err
	}()
	select {
	case <-running:
	case <-time.After(patience):
		t.Fatal("it does not start")
	}
	return over
}

// tempDir is removed when no supervisor writes there any more.
func tempDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() {
		require.Eventually(t, func() bool { return os.RemoveAll(dir) == nil }, patience,
			10*time.Millisecond)
	})
	return dir
}

func begin(t *testing.T, dir string) *keeper.Keeper {
	t.Helper()
	k, err := keeper.Start(dir, 100*time.Millisecond)
	require.NoError(t, err)
	require.NoError(t, k.TakeOver(dir))
	return k
}

// ends waits for the end of a command. Who is attached to it is told how it ended.
func ends(t *testing.T, over <-chan error) {
	t.Helper()
	select {
	case err := <-over:
		require.NoError(t, err)
	case <-time.After(patience):
		t.Fatal("it goes on")
	}
}

// newKey makes a key that no other test has, in this process or another: processes are
// found by theirs, wherever they belong to.
func newKey() string { return strings.ToLower(rand.Text()) }

func TestLeaseIsOver(t *testing.T) {
	t.Parallel()
	dir, k1, k2 := tempDir(t), newKey(), newKey()
	over, kept := hanging(t, dir, k1), hanging(t, dir, k2)
	k := begin(t, dir)
	k.Watch(k1, "s1", time.Second, boot.Since())
	k.Watch(k2, "s2", 2*time.Second, boot.Since())
	k.Hear("s2", boot.Since()+time.Hour)
	require.NoError(t, k.Sync())
	require.True(t, k.Alive())
	ends(t, over)
	require.Empty(t, kept, "it was renewed")
	k.Watch(k2, "s3", time.Millisecond, 0)
	ends(t, kept)
	k.Close()
	require.False(t, k.Alive())
	k.Done(k1) // nobody hears it
	requireNoKeeper(t, dir)
}

// The daemon dies, and the keeper does what it was told.
func TestKeepsWithoutDaemon(t *testing.T) {
	t.Parallel()
	dir, k1 := tempDir(t), newKey()
	over := hanging(t, dir, k1)
	k := begin(t, dir)
	k.Watch(k1, "s1", time.Second, boot.Since())
	k.Close()
	ends(t, over)
	requireNoKeeper(t, dir)
}

// The next daemon takes over, with its own keeper.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	dir, k1 := tempDir(t), newKey()
	over := hanging(t, dir, k1)
	first := begin(t, dir)
	first.Watch(k1, "s1", 3*time.Second, boot.Since())
	first.Close()
	second := begin(t, dir)
	second.Watch(k1, "s1", 3*time.Second, boot.Since()+time.Hour)
	require.Eventually(t, func() bool { return len(keepers(t, dir)) == 1 }, patience,
		10*time.Millisecond, "the first ends, although its lease is not over")
	require.Empty(t, over)
	second.Watch(k1, "s1", time.Millisecond, 0)
	ends(t, over)
	second.Close()
	requireNoKeeper(t, dir)
}

// keepers are the processes that keep leases of a directory.
func keepers(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	require.NoError(t, err)
	var found []string
	for _, e := range entries {
		line, err := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if err == nil && strings.Contains(string(line), "daggy-lease-keeper\x00"+dir+"\x00") {
			found = append(found, e.Name())
		}
	}
	return found
}

func requireNoKeeper(t *testing.T, dir string) {
	t.Helper()
	require.Eventually(t, func() bool { return len(keepers(t, dir)) == 0 }, patience,
		10*time.Millisecond)
}

// A keeper that is killed, or stands still, is known to be gone.
func TestKeeperIsGone(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]unix.Signal{
		"killed": unix.SIGKILL, "stands still": unix.SIGSTOP,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := tempDir(t)
			k := begin(t, dir)
			require.NoError(t, k.Sync())
			pid, err := strconv.Atoi(keepers(t, dir)[0])
			require.NoError(t, err)
			require.NoError(t, unix.Kill(pid, signal))
			for k.Sync() == nil {
				k.Watch(strings.Repeat("k", 60), "s", time.Hour, boot.Since())
			}
			require.Error(t, k.Wait())
			require.False(t, k.Alive())
			_ = unix.Kill(pid, unix.SIGKILL)
			k.Close()
		})
	}
}

// Nothing can be done in a directory that was removed, so nothing is kept there.
func TestDirectoryIsGone(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	k := begin(t, dir)
	require.NoError(t, os.RemoveAll(dir))
	k.Watch("k1", "s1", time.Millisecond, 0)
	k.Watch("k2", "s1", time.Hour, boot.Since())
	require.NoError(t, k.Sync())
	k.Close()
	requireNoKeeper(t, dir)
}

// A keeper has nothing of what the daemon has inherited, such as a lock: it may go on
// when the daemon is gone.
func TestInheritedFiles(t *testing.T) {
	t.Parallel()
	dir := tempDir(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	_, err = unix.FcntlInt(w.Fd(), unix.F_SETFD, 0)
	require.NoError(t, err)
	k := begin(t, dir)
	unix.CloseOnExec(int(w.Fd()))
	require.NoError(t, w.Close())
	require.NoError(t, r.SetReadDeadline(time.Now().Add(patience)))
	_, err = r.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, r.Close())
	require.True(t, k.Alive())
	k.Close()
	requireNoKeeper(t, dir)
}
