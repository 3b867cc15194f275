package runner_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner"
)

// Who follows an attempt gets to the end of it, whatever it prints and however
// it ends.
func TestFollowersAreLetGo(t *testing.T) { // E6
	t.Parallel()
	wait := func(ctx context.Context) error {
		select {
		case <-time.After(time.Minute):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	ctx := context.Background()
	for name, tc := range map[string]struct {
		do   func(ctx context.Context, a *attempt) (result, error)
		then func(h *runner.Handle) error
		text string
	}{
		"prints nothing": {do: func(ctx context.Context, _ *attempt) (result, error) {
			return result{}, wait(ctx)
		}},
		"prints late": {do: func(ctx context.Context, a *attempt) (result, error) {
			err := wait(ctx)
			_, _ = a.Stdout.Write([]byte("late"))
			return result{}, err
		}, text: "late"},
		"fails": {do: func(ctx context.Context, a *attempt) (result, error) {
			_, _ = a.Stdout.Write([]byte("a bit"))
			_ = wait(ctx)
			return fail(1)
		}, text: "a bit"},
		"panics": {do: func(ctx context.Context, _ *attempt) (result, error) {
			_ = wait(ctx)
			panic("boom")
		}},
		"is killed": {do: func(ctx context.Context, _ *attempt) (result, error) {
			return result{}, wait(ctx)
		}, then: func(h *runner.Handle) error { return h.Kill(ctx, "a") }},
		"is not started and killed": {do: func(context.Context, *attempt) (result, error) {
			return result{}, &executor.NotStartedError{
				RetryAfter: time.Hour, Err: errors.New("full"),
			}
		}, then: func(h *runner.Handle) error { return h.Kill(ctx, "a") }},
		"is interrupted": {do: func(ctx context.Context, _ *attempt) (result, error) {
			return result{}, wait(ctx)
		}, then: func(h *runner.Handle) error { return h.Stop(ctx) }},
		"does not return": {do: func(context.Context, *attempt) (result, error) {
			<-time.After(2 * time.Hour)
			return result{}, nil
		}, then: func(h *runner.Handle) error { return h.Stop(ctx) }},
	} {
		for _, dir := range []string{"", "files", "direct"} {
			t.Run(name+" "+dir, func(t *testing.T) {
				t.Parallel()
				var o runner.Output
				if dir != "" {
					o.Dir = t.TempDir()
				}
				if dir == "direct" {
					o.PerAttempt = -1
				}
				synctest.Test(t, func(t *testing.T) {
					r := &runner.Runner{Executor: &recorder{do: tc.do}, Output: o}
					h, err := r.Start(t.Context(), tasks(task("a")))
					require.NoError(t, err)
					synctest.Wait()
					ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
					defer cancel()
					out, err := h.Output(ctx, "a", runner.OutputQuery{Follow: true})
					require.NoError(t, err)
					if tc.then != nil {
						require.NoError(t, tc.then(h))
					}
					text, err := io.ReadAll(out)
					require.NoError(t, err)
					require.Equal(t, tc.text, string(text))
					require.NoError(t, out.Close())
					_, _ = h.Wait(t.Context())
					<-time.After(3 * time.Hour) // until all have returned
				})
			})
		}
	}
}

func TestOutputFiles(t *testing.T) { // S3, E6
	t.Parallel()
	for name, limit := range map[string]int64{"bounded": 0, "direct": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "below", "it")
			ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
				if a.Task == "loud" {
					_, _ = a.Stdout.Write([]byte("hello"))
				}
				return result{}, nil
			}}
			o := runner.Output{Dir: dir, PerAttempt: limit}
			report, err := (&runner.Runner{Executor: ex, Output: o}).Run(t.Context(),
				tasks(task("loud"), task("../../quiet")))
			require.NoError(t, err)
			info, err := os.Stat(dir)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
			files, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, files, 1, "what is empty is removed")
			info, err = files[0].Info()
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
			require.True(t, strings.HasSuffix(files[0].Name(), ".stdout"))
			a, _ := report.Task("loud")
			data, dropped := a.Stdout()
			require.Equal(t, "hello", string(data))
			require.Zero(t, dropped)
		})
	}
}

// Beyond Total the oldest output goes; an attempt that is handed over again
// counts once.
func TestTotalOfOutput(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"", t.TempDir()} {
		synctest.Test(t, func(t *testing.T) {
			tries := 0
			ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
				_, _ = a.Stdout.Write([]byte("0123456789"))
				if tries++; a.Task == "again" && tries < 10 {
					return result{}, &executor.NotStartedError{Err: errors.New("full")}
				}
				return result{}, nil
			}}
			d := tasks(task("again"), task("b", "again"), task("c", "b"), task("d", "c"))
			o := runner.Output{Dir: dir, Total: 35}
			report, err := (&runner.Runner{Executor: ex, Output: o}).Run(t.Context(), d)
			require.NoError(t, err)
			kept := map[string]string{}
			for r := range report.Tasks() {
				data, _ := r.Stdout()
				kept[r.Name] = string(data)
			}
			const all = "0123456789"
			require.Equal(t, map[string]string{"again": "", "b": all, "c": all, "d": all}, kept)
			if dir != "" {
				files, err := os.ReadDir(dir)
				require.NoError(t, err)
				require.Len(t, files, 3)
			}
		})
	}
}

// Tail is the end of what was written, however little of it was dropped.
func TestTailOfCutOutput(t *testing.T) { // E6
	t.Parallel()
	const text = "line one\nno such file\n"
	for _, limit := range []int64{-1, 1, 8, int64(len(text)) - 1, int64(len(text)), 100} {
		for _, dir := range []string{"", t.TempDir()} {
			ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
				_, _ = io.WriteString(a.Stderr, text)
				return fail(1)
			}}
			o := runner.Output{Dir: dir, PerAttempt: limit}
			_, err := (&runner.Runner{Executor: ex, Output: o}).Run(t.Context(), tasks(task("a")))
			failed, ok := errors.AsType[*runner.TaskError](err)
			require.True(t, ok)
			require.Equal(t, text, failed.Tail, "limit %d in %q", limit, dir)
			require.ErrorContains(t, failed, "no such file")
		}
	}
}

// Output of each attempt can be had by its number, from any offset.
func TestOutputOfAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ex := &recorder{do: func(_ context.Context, a *attempt) (result, error) {
			_, _ = fmt.Fprintf(a.Stdout, "out %d", a.Number)
			_, _ = fmt.Fprintf(a.Stderr, "err %d", a.Number)
			if a.Number < 3 {
				return fail(1)
			}
			return result{}, nil
		}}
		d := tasks(task("a"))
		d.Tasks[0].MaxRetries, d.Tasks[0].RetryInterval = 2, time.Hour
		h, err := (&runner.Runner{Executor: ex}).Start(t.Context(), d)
		require.NoError(t, err)
		_, err = h.Wait(t.Context())
		require.NoError(t, err)
		read := func(q runner.OutputQuery) string {
			out, err := h.Output(t.Context(), "a", q)
			require.NoError(t, err)
			text, err := io.ReadAll(out)
			require.NoError(t, err)
			require.NoError(t, out.Close())
			return string(text)
		}
		require.Equal(t, "out 3", read(runner.OutputQuery{Follow: true}))
		require.Equal(t, "err 1", read(runner.OutputQuery{Attempt: 1, Stream: runner.Stderr}))
		require.Equal(t, "t 2", read(runner.OutputQuery{Attempt: 2, Offset: 2}))
		require.Empty(t, read(runner.OutputQuery{Attempt: 4, Follow: true}))
		require.Empty(t, read(runner.OutputQuery{Offset: 99, Follow: true}))
	})
}
