package inproc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/inproc"
)

func attempt(job dag.Job) *executor.Attempt {
	return &executor.Attempt{
		Run: "run", Task: "calc", Instance: "calc_2", Number: 3, Key: "key", Job: job,
		Stdout: io.Discard, Stderr: io.Discard,
	}
}

// one is an executor of a single function named "f".
func one(f inproc.Func) *inproc.Executor {
	return inproc.New(inproc.Config{Funcs: inproc.Funcs{"f": f}})
}

func failing(err error) *inproc.Executor {
	return one(func(context.Context, *inproc.Call) error { return err })
}

func TestErrorBecomesResult(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		want executor.Result
	}{
		"nil is success (E1)":   {nil, executor.Result{}},
		"an error is exit 1":    {errors.New("oops"), exit(1, "oops")},
		"an exit code":          {inproc.ExitError(3), exit(3, "exit 3")},
		"exit 0 is success":     {inproc.ExitError(0), executor.Result{}},
		"a wrapped exit code":   {wrapped(inproc.ExitError(3)), exit(3, "f: exit 3")},
		"a wrapped exit code 0": {wrapped(inproc.ExitError(0)), executor.Result{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res, err := failing(test.err).Run(t.Context(), attempt(dag.Command("f")))
			require.NoError(t, err)
			require.Equal(t, test.want, res)
		})
	}
}

func exit(code int, message string) executor.Result {
	return executor.Result{ExitCode: code, Message: message}
}

func wrapped(err error) error { return fmt.Errorf("f: %w", err) }

func TestErrorPassesThrough(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"lost (E3)":        &executor.LostError{Err: io.EOF},
		"not started (E4)": &executor.NotStartedError{RetryAfter: time.Second, Err: io.EOF},
		"permanent (E1)":   executor.Permanent(io.EOF),
		"wrapped":          wrapped(&executor.LostError{Err: io.EOF}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res, got := failing(err).Run(t.Context(), attempt(dag.Command("f")))
			require.Equal(t, err, got)
			require.Zero(t, res)
		})
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{
		"string":      "boo",
		"error":       io.EOF,
		"a LostError": &executor.LostError{Err: io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ex := one(func(context.Context, *inproc.Call) error { panic(value) })
			_, err := ex.Run(t.Context(), attempt(dag.Command("f")))
			p, ok := errors.AsType[*executor.PanicError](err)
			require.True(t, ok)
			require.Equal(t, value, p.Value)
			require.Contains(t, string(p.Stack), "TestPanic")
			_, lost := errors.AsType[*executor.LostError](err)
			require.False(t, lost, "a panic is the task's own failure, whatever its value")
		})
	}
}

// TestGoexit shows what the documentation says: Run does not return, and the
// executor is none the worse for it.
func TestGoexit(t *testing.T) {
	t.Parallel()
	ex := inproc.New(inproc.Config{Funcs: inproc.Funcs{
		"exit": func(context.Context, *inproc.Call) error { runtime.Goexit(); return nil },
		"f":    func(context.Context, *inproc.Call) error { return nil },
	}})
	returned := false
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = ex.Run(t.Context(), attempt(dag.Command("exit")))
		returned = true
	}()
	<-done
	require.False(t, returned)
	_, err := ex.Run(t.Context(), attempt(dag.Command("f")))
	require.NoError(t, err)
}

func TestTimeLimit(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"the function gives up (E7)":      {context.Canceled, "failure (time limit)"},
		"the function succeeds none less": {nil, "success"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			ex := one(func(ctx context.Context, _ *inproc.Call) error {
				cancel(executor.ErrTimeLimit)
				<-ctx.Done()
				return test.err
			})
			res, err := ex.Run(ctx, attempt(dag.Command("f")))
			require.NoError(t, err)
			require.Equal(t, test.want, res.String())
		})
	}
}

func TestFuncsAreCopied(t *testing.T) {
	t.Parallel()
	funcs := inproc.Funcs{"f": func(context.Context, *inproc.Call) error { return nil }}
	ex := inproc.New(inproc.Config{Funcs: funcs})
	delete(funcs, "f")
	require.NoError(t, ex.Validate(dag.Command("f")))
}

func TestResourcesAreNotEnforced(t *testing.T) {
	t.Parallel()
	job := dag.Command("f")
	job.Resources = dag.Resources{dag.MemoryMB: 10, dag.Cores: 2, dag.GPUs: 0, "licences": 1}
	res, err := failing(nil).Run(t.Context(), attempt(job))
	require.NoError(t, err)
	require.Equal(t, []string{dag.Cores, dag.MemoryMB}, res.Unenforced, "E6")
}

func TestAllocator(t *testing.T) {
	t.Parallel()
	a := capacity.New(capacity.Node{Name: "n"})
	require.Same(t, a, inproc.New(inproc.Config{Allocator: a}).Allocator())
	require.Nil(t, inproc.New(inproc.Config{}).Allocator())
}

// TestNoAllocation holds the price of a function that does nothing.
func TestNoAllocation(t *testing.T) {
	ex := failing(nil)
	a := attempt(dag.Command("f"))
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		_, _ = ex.Run(t.Context(), a)
	}), 1.0)
}
