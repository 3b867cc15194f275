//go:build linux

package fork_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/internal/helperproc"
)

// A program that is killed leaves processes and control groups behind. The next one
// ends and removes them.
func TestEngineKilled(t *testing.T) {
	t.Parallel()
	requireLimits(t)
	g := newGate(t)
	engine := helperproc.Exec(t.Context(), "engine-limits", "killed", g.listener.Addr().String())
	stdout, err := engine.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, engine.Start())
	v := g.next()
	var list string
	_, err = fmt.Fscanln(stdout, &list)
	require.NoError(t, err)
	dirs := strings.Split(list, ",")
	for _, dir := range dirs {
		require.DirExists(t, dir)
	}
	require.NoError(t, engine.Process.Kill())
	require.Error(t, engine.Wait())

	run(t, setup(t), helper("exit", "0"))
	v.ended(t)
	for _, dir := range dirs {
		require.Eventually(t, func() bool {
			_, err := os.Stat(dir)
			return errors.Is(err, os.ErrNotExist)
		}, patience, 10*time.Millisecond, dir)
	}
}

// What is not used any more is removed, without anybody having to close anything.
func TestNoGroupsAreLeft(t *testing.T) {
	t.Parallel()
	requireLimits(t)
	output, err := helperproc.Exec(t.Context(), "engine-limits", "ends").CombinedOutput()
	require.NoError(t, err, string(output))
}

// engineLimits is told what to do: "killed" starts something that never ends and says
// where its control groups are, "ends" uses many and waits until they are gone.
func engineLimits(args []string) (int, error) {
	e := fork.New(fork.Config{Limits: fork.Limits{Mode: fork.LimitsRequired}})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if args[0] == "killed" {
		a := attempt(helper("spawn", "scoltw", "gate", args[1], "", "0"))
		a.Job.Resources = limited
		a.OnReport = func(executor.Status) {
			_, _ = fmt.Fprintln(os.Stdout, strings.Join(fork.Groups(e), ","))
		}
		_, err := e.Run(ctx, a)
		return 0, err
	}
	done := make(chan error)
	const n = 100
	for range n {
		go func() {
			a := trueAttempt()
			a.Job.Resources = limited
			_, err := e.Run(ctx, a)
			done <- err
		}()
	}
	var err error
	dirs := fork.Groups(e)
	for range n {
		err = errors.Join(err, <-done)
		dirs = append(dirs, fork.Groups(e)...)
	}
	if len(dirs) == 0 {
		err = errors.Join(err, errors.New("there were no control groups"))
	}
	for _, dir := range dirs {
		for until := time.Now().Add(patience); time.Now().Before(until); {
			if _, gone := os.Stat(dir); gone != nil {
				break
			}
			<-time.After(time.Millisecond)
		}
		if _, gone := os.Stat(dir); !errors.Is(gone, os.ErrNotExist) {
			err = errors.Join(err, fmt.Errorf("%s is left: %w", dir, gone))
		}
	}
	return 0, err
}

// The file that says where a supervisor's control groups are says nothing if it is
// damaged anywhere.
func TestNotedGroups(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	dirs := []string{"/sys/fs/cgroup/daggy/s-a", "/sys/fs/cgroup/a b/daggy/s-c"}
	require.NoError(t, fork.NoteGroups(dir, dirs))
	noted, err := fork.NotedGroups(dir)
	require.NoError(t, err)
	require.Equal(t, dirs, noted)
	path := filepath.Join(dir, "groups")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	requireDamaged := func(bad []byte) {
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		_, err := fork.NotedGroups(dir)
		require.Error(t, err, "%q", bad)
	}
	for i := range data {
		bad := slices.Clone(data)
		bad[i] ^= 1
		requireDamaged(bad)
	}
	for n := range len(data) - 1 { // without its last line feed it has everything
		requireDamaged(data[:n])
	}
}

// A supervisor writes it, for itself alone, and works if it is damaged.
func TestNotedGroupsOfSupervisor(t *testing.T) {
	t.Parallel()
	dir := place(t)
	e := detaching(dir)
	run(t, e, helper("exit", "0"))
	require.NoError(t, helperproc.AwaitSupervisor(dir))
	state := filepath.Join(dir, "fork")
	noted, err := fork.NotedGroups(state)
	require.NoError(t, err)
	require.True(t, !ableToLimit(t) || len(noted) > 0)
	require.Empty(t, fork.GroupsOf(dir), "they were removed")
	path := filepath.Join(state, "groups")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	require.NoError(t, os.WriteFile(path, []byte("damaged"), 0o600))
	run(t, e, helper("exit", "0"))
	require.NoError(t, helperproc.AwaitSupervisor(dir))
	_, err = fork.NotedGroups(state)
	require.NoError(t, err, "it was written anew")
}
