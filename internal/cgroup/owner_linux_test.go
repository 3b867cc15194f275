package cgroup_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/internal/cgroup"
	"github.com/daggy-go/daggy/internal/helperproc"
)

// playOwner is a program that runs something in a group, says what and where, and
// waits to be killed.
func playOwner(args []string) (int, error) {
	c := cgroup.Config{}
	switch args[0] {
	case "comes back":
		c.Note = func([]string) error { return nil }
	case "in version 1":
		c.Version = 1
	}
	p := cgroup.NewPool(c)
	g, err := p.Take(cgroup.Limits{Pids: 100})
	if err != nil {
		return 0, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	argv := helperproc.Command("trap")
	attr := &syscall.SysProcAttr{Setsid: true}
	var pid int
	err = g.Start(attr, func() (err error) {
		pid, err = syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
			Files: []uintptr{0, w.Fd(), 2}, Sys: attr,
		})
		return err
	})
	if err = errors.Join(err, w.Close()); err != nil {
		return 0, err
	}
	// When it says that it is ready, it ignores SIGTERM.
	if _, err := bufio.NewReader(r).ReadString('\n'); err != nil {
		return 0, err
	}
	if _, err := fmt.Fprintln(os.Stdout, pid, strings.Join(p.Dirs(), ",")); err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return 0, err
}

// What somebody leaves behind who was killed is removed by who comes next, unless
// somebody comes back for it.
func TestLeftBehind(t *testing.T) {
	t.Parallel()
	how := map[string]bool{"for good": false, "comes back": true}
	if _, ok := ways(t)["version 1"]; ok {
		how["in version 1"] = false // also where the next one does not need that
	}
	for name, back := range how {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			owner := helperproc.Exec(t.Context(), "owner", name)
			_, err := owner.StdinPipe()
			require.NoError(t, err)
			stdout, err := owner.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, owner.Start())
			var pid int
			var list string
			_, err = fmt.Fscanln(stdout, &pid, &list)
			require.NoError(t, err)
			dirs := strings.Split(list, ",")

			next := func() {
				_, err := cgroup.NewPool(cgroup.Config{}).Abilities()
				require.NoError(t, err)
			}
			next()
			for _, dir := range dirs {
				require.DirExists(t, dir, "its owner lives")
			}
			require.NoError(t, owner.Process.Kill())
			require.Error(t, owner.Wait())
			next()
			if back {
				require.NoError(t, unix.Kill(pid, 0), "somebody comes back for it")
				r := cgroup.Recall(dirs)
				require.Subset(t, dirs, r.Dirs(), "those with nothing in them may be gone")
				require.False(t, r.Empty())
				r.Signal(unix.SIGTERM)
				require.False(t, r.Empty(), "it ignores that")
				require.True(t, r.Kill(time.Now().Add(patience)))
				r.Remove()
			}
			for _, dir := range dirs {
				// Another one who looks at the same time may be at it.
				require.Eventually(t, func() bool {
					next()
					_, err := os.Stat(dir)
					return errors.Is(err, os.ErrNotExist)
				}, patience, time.Millisecond, dir)
			}
			requireGone(t, strconv.Itoa(pid))
		})
	}
}
