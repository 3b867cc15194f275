//go:build linux

package slurm_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/slurm"
)

// Two engines that have the same keys, as one does that has lost its lease and does
// not know yet: each key starts once, whoever submits it how often, and whoever
// closes it meanwhile.
func TestTwoEngines(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	dir, notes := t.TempDir(), t.TempDir()
	open := func() *slurm.Executor {
		config := c.config(dir)
		config.ArrayWait = time.Millisecond
		return slurm.New(config)
	}
	engines := []*slurm.Executor{open(), open(), open()}
	const n = 30
	var calls sync.WaitGroup
	for i := range n {
		key := fmt.Sprintf("key-%d", i)
		job := dag.Command("sh", "-c", `echo >>"$1"`, "sh", filepath.Join(notes, key))
		for number, e := range engines {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if number == 2 && i%3 != 0 {
				continue // the third closes some of the keys
			}
			if number == 2 {
				cancel()
			}
			calls.Go(func() {
				res, err := e.Run(ctx, attempt(key, job))
				ran := noted(t, filepath.Join(notes, key)) == 1
				switch {
				case err == nil && !ran:
					t.Errorf("engine %d, %s: %v, and it never ran", number, key, res)
				case err != nil && number < 2 && !lost(err):
					t.Errorf("engine %d, %s: %v", number, key, err)
				}
			})
		}
	}
	calls.Wait()
	for i := range n {
		ran := noted(t, filepath.Join(notes, fmt.Sprintf("key-%d", i)))
		require.LessOrEqual(t, ran, 1)
		if i%3 != 0 {
			require.Equal(t, 1, ran, "nobody has closed it")
		}
	}
}

// What is on the disk is what FORMAT.md says.
func TestFormat(t *testing.T) {
	t.Parallel()
	s := &script{}
	dir := t.TempDir()
	e := slurm.New(slurm.Config{
		Dir: dir, Commands: s.run, Env: []string{}, ArrayWait: -1, Grace: 1500 * time.Millisecond,
	})
	a := attempt("key-0", dag.Job{
		Command: []string{"a=b", "two words"}, Environment: []string{"K=v"}, WorkDir: "/work",
		TimeLimit: 90 * time.Second,
	})
	var stdout strings.Builder
	a.Stdout, a.Stderr = &stdout, &stdout
	ctx, cancel := context.WithCancelCause(t.Context())
	submitted := make(chan struct{})
	var once sync.Once
	a.OnReport = func(executor.Status) { once.Do(func() { close(submitted) }) }
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = e.Run(ctx, a)
	}()
	<-submitted
	cancel(executor.ErrDetach)
	<-done
	own := filepath.Join(dir, "own")
	b, err := os.ReadFile(filepath.Join(own, "jobs", "key-0"))
	require.NoError(t, err)
	output := filepath.Join(own, "outputs", "key-0.stdout")
	require.Equal(t, strings.Join([]string{
		"daggy-job-1", "key-0", "key-0", "6", output, output, "/work", "90", "1.5", "5",
		"K=v", "DAGGY_RUN=run", "DAGGY_TASK=task", "DAGGY_ATTEMPT=1", "DAGGY_KEY=key-0",
		"/bin/sh", "-c", `exec "$@"`, "sh", "a=b", "two words", "end", "",
	}, "\x00"), string(b))
	b, err = os.ReadFile(filepath.Join(own, "format"))
	require.NoError(t, err)
	require.Equal(t, "daggy-slurm 1\n", string(b))
	// Another version is refused, before anything starts.
	require.NoError(t, os.WriteFile(filepath.Join(own, "format"), []byte("daggy-slurm 2\n"), 0o600))
	e = slurm.New(slurm.Config{Dir: dir, Commands: s.run})
	require.ErrorContains(t, e.Validate(dag.Command("true")), "another version")
	info, err := os.Stat(own)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
}
