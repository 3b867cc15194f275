package slurm_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/slurm"
)

// A script has answers of Slurm's commands, as they were recorded. No job ever
// runs: what jobs do is done by the test, to the files.
type script struct {
	mu    sync.Mutex
	calls [][]string
	// queue is the answer of squeue, without the mark that begins each line.
	queue slurm.Answer
	// sacct is the answer of sacct. Nil: there is no accounting.
	sacct []byte
	// silent: scontrol has no answer.
	silent bool
	// sbatch answers submissions, counted from 1. Nil: the number.
	sbatch func(n int) slurm.Answer
}

func (s *script) run(_ context.Context, argv []string, in string) (slurm.Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, argv)
	switch argv[0] {
	case "squeue":
		return s.queue, nil
	case "sbatch":
		if !strings.HasPrefix(in, "#!/bin/bash\n") {
			return slurm.Answer{}, errors.New("no script")
		}
		n := s.count("sbatch")
		if s.sbatch != nil {
			return s.sbatch(n), nil
		}
		return slurm.Answer{Stdout: fmt.Appendln(nil, n)}, nil
	case "scancel":
		return slurm.Answer{}, nil
	case "scontrol":
		if s.silent {
			return slurm.Answer{Exit: 1}, nil
		}
		config := "MaxArraySize = 501\nTaskPlugin = task/affinity\n"
		if s.sacct != nil {
			config += "AccountingStorageType = accounting_storage/slurmdbd\n"
		}
		return slurm.Answer{Stdout: []byte(config)}, nil
	case "sacct":
		if s.sacct != nil {
			return slurm.Answer{Stdout: s.sacct}, nil
		}
	}
	return slurm.Answer{Exit: 1, Stderr: []byte("Slurm accounting storage is disabled")}, nil
}

// count counts calls, with mu held.
func (s *script) count(name string) int {
	n := 0
	for _, argv := range s.calls {
		if argv[0] == name {
			n++
		}
	}
	return n
}

func (s *script) called(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count(name)
}

// last returns the last call of a command.
func (s *script) last(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, argv := range slices.Backward(s.calls) {
		if argv[0] == name {
			return argv
		}
	}
	return nil
}

// says has squeue answer with these jobs from now on.
func (s *script) says(lines ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = slurm.Answer{}
	for _, line := range lines {
		s.queue.Stdout = append(s.queue.Stdout, "daggy|"+line+"\n"...)
	}
}

// A call is a call of Run in the bubble.
type call struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
	res    executor.Result
	err    error

	mu   sync.Mutex              // guards the following
	last executor.Status         // that was reported
	slow func(s executor.Status) // is told too. Nil: nobody is
}

// report is told what Run reports.
func (c *call) report(s executor.Status) {
	c.mu.Lock()
	c.last = s
	slow := c.slow
	c.mu.Unlock()
	if slow != nil {
		slow(s)
	}
}

// status is what was reported last.
func (c *call) status() executor.Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// tellToo has each report told to f.
func (c *call) tellToo(f func(s executor.Status)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slow = f
}

func (c *call) over() bool {
	synctest.Wait()
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// goesOn fails the test if Run has returned.
func (c *call) goesOn(t *testing.T) {
	t.Helper()
	if c.over() {
		require.FailNow(t, "it is over", "%v, %v", c.res, c.err)
	}
}

// word is how the attempt ended: its result, or "lost" or "failed" for an error.
func (c *call) word() string {
	switch {
	case c.err == nil:
		return c.res.String()
	case lost(c.err):
		return "lost"
	}
	return "failed"
}

// lost reports whether nothing runs under the key and nothing ever will.
func lost(err error) bool {
	_, ok := errors.AsType[*executor.LostError](err)
	return ok
}

// detach has Run return at once, and leave the job alone.
func (c *call) detach(t *testing.T) {
	t.Helper()
	c.cancel(executor.ErrDetach)
	require.True(t, c.over())
}

// pass lets virtual time pass, and what happens in it happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func attempt(key string, job dag.Job) *executor.Attempt {
	return &executor.Attempt{
		Run: "run", Task: "task", Instance: "task", Number: 1, Key: key, Job: job,
		Stdout: io.Discard, Stderr: io.Discard,
	}
}

func begin(t *testing.T, e *slurm.Executor, a *executor.Attempt) *call {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	c := &call{cancel: cancel, done: make(chan struct{})}
	a.OnReport = c.report
	go func() {
		defer close(c.done)
		c.res, c.err = e.Run(ctx, a)
	}()
	return c
}

// setup returns an executor with the defaults, for virtual time.
func setup(t *testing.T, s *script) (*slurm.Executor, string) {
	t.Helper()
	dir := t.TempDir()
	return slurm.Unwatched(slurm.New(slurm.Config{Dir: dir, Commands: s.run})), dir
}

// one begins an attempt with the key "key" on an executor of its own.
func one(t *testing.T, s *script) (*call, string) {
	t.Helper()
	e, dir := setup(t, s)
	return begin(t, e, attempt("key", dag.Command("true"))), dir
}

// underway is one whose job has begun.
func underway(t *testing.T, s *script) (*call, string) {
	t.Helper()
	s.says("1|RUNNING|n1|key|None")
	c, dir := one(t, s)
	pass(time.Second)
	write(t, dir, "claims", "key", claimOf1)
	return c, dir
}

// write makes a file that a job would make.
func write(t *testing.T, dir, kind, key, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "own", kind, key), []byte(text), 0o600))
}

const claimOf1 = "daggy-claim 1 job 1 0 n1\n"

func reportOf1(key string, code int, how string) string {
	line := fmt.Sprintf("daggy-exit 1 %s 1 0 %d %s 0 1700000000 1700000001 n1\n", key, code, how)
	return line + line
}
