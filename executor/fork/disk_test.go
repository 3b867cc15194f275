//go:build linux

package fork_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/internal/chaos"
	"github.com/daggy-go/daggy/internal/helperproc"
)

// smallDisk mounts a disk for the Dir of an executor.
func smallDisk(t *testing.T) (dir string, disk *chaos.Disk) {
	t.Helper()
	dir = t.TempDir()
	disk, err := chaos.MountDisk(dir)
	if errors.Is(err, unix.EPERM) {
		t.Skip("this process may not mount disks")
	}
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = disk.Empty() // for the supervisor to end, if it is full still
		require.NoError(t, helperproc.AwaitSupervisor(dir))
		require.NoError(t, disk.Unmount())
	})
	return dir, disk
}

// E4: a supervisor that finds no room on the disk to begin with is tried again later.
func TestSupervisorWithoutRoom(t *testing.T) {
	t.Parallel()
	dir, disk := smallDisk(t)
	e := detaching(dir)
	require.NoError(t, disk.Fill())
	a := attempt(helper("exit", "3"))
	_, err := e.Run(t.Context(), a)
	_, notStarted := errors.AsType[*executor.NotStartedError](err)
	require.True(t, notStarted, "%v", err)
	require.ErrorContains(t, err, "no space left")
	require.NoError(t, disk.Empty())
	r, err := e.Run(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, 3, r.ExitCode)
}

// E4: what may run is not said to be not started, because nobody can be asked for want of
// room.
func TestNobodyToAskWithoutRoom(t *testing.T) {
	t.Parallel()
	dir, disk := smallDisk(t)
	e := detaching(dir)
	require.NoError(t, disk.Fill())
	ctx, cancel := context.WithCancel(t.Context())
	a := resumed(attempt(helper("exit", "3")))
	a.OnReport = func(s executor.Status) {
		if strings.Contains(s.Reason, "is not known") {
			cancel() // else it would wait until there is room
		}
	}
	_, err := e.Run(ctx, a)
	require.ErrorContains(t, err, "no space left")
	_, notStarted := errors.AsType[*executor.NotStartedError](err)
	require.False(t, notStarted, "%v", err)
}

// What ends while there is no room and no engine is known to the next engine, however
// late that comes.
func TestOutcomeWithoutRoom(t *testing.T) {
	t.Parallel()
	dir, disk := smallDisk(t)
	g := newGate(t)
	text := strings.Repeat("x", 12<<10) // that is kept with the outcome
	a := attempt(g.job(text, 3))
	c := begin(t, detaching(dir), a)
	v := g.next()
	c.cancel(executor.ErrDetach)
	_, err := c.wait()
	require.ErrorIs(t, err, executor.ErrDetach)
	require.NoError(t, disk.Fill())
	v.letGo(t)
	v.ended(t)
	ended := make(chan error, 1)
	go func() { ended <- helperproc.AwaitSupervisor(dir) }()
	select {
	case err := <-ended:
		t.Fatal("the supervisor has ended, which alone knows it:", err)
	case <-time.After(3 * time.Second): // three times as long as one without work stays
	}
	require.NoError(t, disk.Empty())
	require.NoError(t, <-ended, "it is not needed any more")
	c = begin(t, detaching(dir), resumed(a))
	r, err := c.wait()
	require.NoError(t, err)
	require.Equal(t, 3, r.ExitCode)
	require.Contains(t, c.stdout.String(), text)
}

// What was claimed and then not started, and cannot be given back for want of room, is
// lost: its key is used. That is no failure of the task.
func TestWithdrawalWithoutRoom(t *testing.T) { // E3, E4
	t.Parallel()
	dir, disk := smallDisk(t)
	e := detaching(dir)
	run(t, e, helper("exit", "0"))
	job, writer := busy(t, 3)
	require.NoError(t, disk.Fill())
	a := attempt(job)
	const longest, shortest = 64, 8
	var err error
	// The longest key that there is room for leaves none for another record.
	for length := longest; ; {
		b := *a
		b.Key = strings.ToLower(rand.Text() + rand.Text() + rand.Text())[:length]
		_, err = e.Run(t.Context(), &b)
		if _, again := errors.AsType[*executor.NotStartedError](err); !again {
			break
		}
		if errors.Is(err, unix.ENOSPC) {
			length--
		}
		if length < shortest { // less room than that is left of the block, so begin another
			require.NoError(t, disk.Empty())
			run(t, e, helper("exit", "0"))
			require.NoError(t, disk.Fill())
			length = longest
		}
	}
	requireLost(t, err, "cannot be withdrawn")
	require.NoError(t, disk.Empty())
	require.NoError(t, writer.Close())
	r, err := e.Run(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, 3, r.ExitCode)
}
