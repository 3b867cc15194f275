//go:build linux || darwin

package fork_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/internal/helperproc"
)

// patience is how long a test waits for what must come.
const patience = 2 * time.Minute

// setup returns an executor that does not take long to stop a command.
func setup(tb testing.TB) *fork.Executor {
	tb.Helper()
	return fork.New(fork.Config{
		Capacity:  capacity.Resources{dag.Cores: 2},
		Grace:     100 * time.Millisecond,
		WaitDelay: 100 * time.Millisecond,
	})
}

// unlimited returns one that makes no control groups.
func unlimited(tb testing.TB) *fork.Executor {
	tb.Helper()
	return fork.WithoutLimits(setup(tb))
}

// patient returns one that never kills what ends when it is asked to.
func patient(tb testing.TB) *fork.Executor {
	tb.Helper()
	return fork.New(fork.Config{Capacity: capacity.Resources{dag.Cores: 2}, Grace: patience})
}

// attempt returns one that runs job and drops its output.
func attempt(job dag.Job) *executor.Attempt {
	return &executor.Attempt{
		Run: "run", Task: "task", Instance: "task_1", Number: 2,
		Key: "key-" + strings.ToLower(rand.Text()),
		Job: job, Stdout: io.Discard, Stderr: io.Discard,
	}
}

// helper is a job of package helperproc.
func helper(mode string, words ...string) dag.Job {
	return dag.Command(helperproc.Command(mode, words...)...)
}

// run runs job to its end and returns what it printed. It must be executed.
func run(tb testing.TB, e *fork.Executor, job dag.Job) (executor.Result, string, string) {
	tb.Helper()
	var stdout, stderr bytes.Buffer
	a := attempt(job)
	a.Stdout, a.Stderr = &stdout, &stderr
	r, err := e.Run(tb.Context(), a)
	require.NoError(tb, err)
	return r, stdout.String(), stderr.String()
}

var errNoLine = errors.New("the command prints nothing more")

// running is an attempt that goes on.
type running struct {
	tb     testing.TB
	cancel context.CancelCauseFunc
	pid    chan string
	pipe   *io.PipeReader
	lines  *bufio.Reader
	done   chan struct{}
	result executor.Result
	err    error
}

// launch starts job. What it prints to stdout can be read line by line.
func launch(tb testing.TB, e *fork.Executor, job dag.Job) *running {
	tb.Helper()
	ctx, cancel := context.WithCancelCause(tb.Context())
	r, w := io.Pipe()
	l := &running{
		tb: tb, cancel: cancel, pid: make(chan string, 1), pipe: r,
		lines: bufio.NewReader(r), done: make(chan struct{}),
	}
	a := attempt(job)
	a.Stdout = w
	a.OnReport = func(s executor.Status) { l.pid <- s.Ref }
	go func() {
		defer close(l.done)
		l.result, l.err = e.Run(ctx, a)
		_ = w.Close()
	}()
	tb.Cleanup(func() {
		cancel(nil)
		_ = r.Close()
		<-l.done
	})
	return l
}

// line returns the next line of stdout, "" after the last.
func (l *running) line() string {
	l.tb.Helper()
	timer := time.AfterFunc(patience, func() { _ = l.pipe.CloseWithError(errNoLine) })
	defer timer.Stop()
	line, err := l.lines.ReadString('\n')
	if err != nil {
		require.ErrorIs(l.tb, err, io.EOF)
	}
	return strings.TrimSuffix(line, "\n")
}

// wait returns the outcome.
func (l *running) wait() (executor.Result, error) {
	l.tb.Helper()
	select {
	case <-l.done:
	case <-time.After(patience):
		require.FailNow(l.tb, "Run does not return")
	}
	return l.result, l.err
}

// cut3 splits three words.
func cut3(line string) (a, b, c string) {
	words := append(strings.Fields(line), "", "", "")
	return words[0], words[1], words[2]
}
