//go:build linux

package fork_test

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/internal/helperproc"
)

// smallDisk is a disk that can be filled, and fill takes all that is left of it until
// what it returns is called.
func smallDisk(t *testing.T) (dir string, fill func() (empty func())) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can have a disk that is full")
	}
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=4m,mode=700"); err != nil {
		t.Skip("no disk can be made here:", err)
	}
	path := filepath.Join(disk, "filler")
	t.Cleanup(func() {
		_ = os.Remove(path) // if it is there still
		require.NoError(t, helperproc.AwaitSupervisor(disk))
		require.NoError(t, unix.Unmount(disk, unix.MNT_DETACH))
	})
	return disk, func() func() {
		f, err := os.Create(path)
		require.NoError(t, err)
		for size := 1 << 20; size > 0; {
			if _, err := f.Write(make([]byte, size)); err != nil {
				require.ErrorIs(t, err, unix.ENOSPC)
				size /= 2
			}
		}
		_ = f.Close() // it has nothing to say that was not said
		return func() { require.NoError(t, os.Remove(path)) }
	}
}

// E4: a supervisor that finds no room on the disk to begin with is tried again later.
func TestSupervisorWithoutRoom(t *testing.T) {
	t.Parallel()
	dir, fill := smallDisk(t)
	e := detaching(dir)
	empty := fill()
	a := attempt(helper("exit", "3"))
	_, err := e.Run(t.Context(), a)
	_, notStarted := errors.AsType[*executor.NotStartedError](err)
	require.True(t, notStarted, "%v", err)
	require.ErrorContains(t, err, "no space left")
	empty()
	r, err := e.Run(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, 3, r.ExitCode)
}

// What ends while there is no room and no engine is known to the next engine, however
// late that comes.
func TestOutcomeWithoutRoom(t *testing.T) {
	t.Parallel()
	dir, fill := smallDisk(t)
	g := newGate(t)
	text := strings.Repeat("x", 12<<10) // that is kept with the outcome
	a := attempt(g.job(text, 3))
	c := begin(t, detaching(dir), a)
	v := g.next()
	c.cancel(executor.ErrDetach)
	_, err := c.wait()
	require.ErrorIs(t, err, executor.ErrDetach)
	empty := fill()
	v.letGo(t)
	v.ended(t)
	ended := make(chan error, 1)
	go func() { ended <- helperproc.AwaitSupervisor(dir) }()
	select {
	case err := <-ended:
		t.Fatal("the supervisor has ended, which alone knows it:", err)
	case <-time.After(3 * time.Second): // three times as long as one without work stays
	}
	empty()
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
	dir, fill := smallDisk(t)
	e := detaching(dir)
	run(t, e, helper("exit", "0"))
	job := helper("exit", "3")
	program, err := os.ReadFile(job.Command[0])
	require.NoError(t, err)
	_, job.Command[0] = file(t, "program", string(program), 0o700)
	writer, err := os.OpenFile(job.Command[0], os.O_WRONLY, 0)
	require.NoError(t, err)
	empty := fill()
	a := attempt(job)
	const longest, shortest = 64, 8
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
			empty()
			run(t, e, helper("exit", "0"))
			empty, length = fill(), longest
		}
	}
	requireLost(t, err, "cannot be withdrawn")
	empty()
	require.NoError(t, writer.Close())
	r, err := e.Run(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, 3, r.ExitCode)
}
