package progress_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/runner/progress"
)

// terminal opens a real terminal of this size. What is written to it goes to
// the screen.
func terminal(t *testing.T, columns, rows uint16) (tty *os.File, out *screen, hangUp func()) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	fd := int(master.Fd())
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ,
		&unix.Winsize{Row: rows, Col: columns}))
	out = new(screen)
	var reading sync.WaitGroup
	reading.Go(func() {
		buffer := make([]byte, 4096)
		for {
			n, err := master.Read(buffer)
			if err != nil {
				return // the other side was closed
			}
			_, _ = out.Write(bytes.ReplaceAll(buffer[:n], []byte("\r\n"), []byte("\n")))
		}
	})
	return tty, out, func() {
		require.NoError(t, tty.Close())
		reading.Wait()
		require.NoError(t, master.Close())
	}
}

// On a terminal Auto draws a block, which is no wider and no higher than that.
func TestTerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	tty, out, hangUp := terminal(t, 50, 6)
	display := progress.New(tty, progress.Config{})
	var names []string
	s := script{}
	for i := range 10 {
		name := fmt.Sprintf("%d %s", i, strings.Repeat("long ", 20))
		names = append(names, name)
		s[name] = failing(0, strings.Repeat("very ", 20)+"long")
	}
	_, err := observed(display, s).Run(t.Context(), tasks(names...))
	require.Error(t, err)
	require.NoError(t, display.Close())
	hangUp()
	rows := out.see(t)
	require.Len(t, rows, 3, "of six: two are for running tasks, one is the cursor's")
	for _, row := range rows {
		require.LessOrEqual(t, len(row), 50)
	}
	require.Contains(t, rows[0], "10/10")
	require.Equal(t, "run failed: 10 failed", rows[1])
	require.Regexp(t, `^! \d long .*\.\.\.$`, rows[2])
}

// TERM=dumb says that a terminal cannot be drawn on.
func TestDumbTerminal(t *testing.T) {
	t.Setenv("TERM", "dumb")
	tty, out, hangUp := terminal(t, 80, 24)
	display := progress.New(tty, progress.Config{})
	_, err := observed(display, nil).Run(t.Context(), tasks("a"))
	require.NoError(t, err)
	require.NoError(t, display.Close())
	hangUp()
	rows := out.see(t)
	require.Len(t, rows, 1)
	require.Contains(t, rows[0], "run completed in ")
}
