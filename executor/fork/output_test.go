//go:build linux || darwin

package fork_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
)

// watches are the ways in which an executor may watch its commands.
func watches(tb testing.TB) map[string]*fork.Executor {
	tb.Helper()
	return watchesOf(tb, setup)
}

func watchesOf(
	tb testing.TB, setup func(testing.TB) *fork.Executor,
) map[string]*fork.Executor {
	tb.Helper()
	return map[string]*fork.Executor{
		"by a thread":    setup(tb),
		"by the runtime": fork.Crowded(setup(tb)),
		"by goroutines":  fork.Portable(setup(tb)),
	}
}

// E6: byte for byte.
func TestOutputIsExact(t *testing.T) {
	t.Parallel()
	var all []byte
	for i := range 256 {
		all = append(all, byte(i))
	}
	for way, e := range watches(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			_, stdout, stderr := run(t, e, helper("bytes"))
			require.Equal(t, string(all), stdout)
			back := bytes.Clone(all)
			slices.Reverse(back)
			require.Equal(t, string(back), stderr)
		})
	}
}

// One writer gets both outputs in the order in which they were written.
func TestOutputOfOneWriterKeepsOrder(t *testing.T) {
	t.Parallel()
	for way, e := range watches(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			var both bytes.Buffer
			a := attempt(helper("both", "1000"))
			a.Stdout, a.Stderr = &both, &both
			r, err := e.Run(t.Context(), a)
			require.NoError(t, err)
			require.True(t, r.OK())
			require.Equal(t, strings.Repeat("oe", 1000), both.String())
		})
	}
}

// Writers of a type that cannot be compared are two.
func TestOutputOfIncomparableWriters(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	a := attempt(helper("print", "out", "err"))
	a.Stdout, a.Stderr = writers{&out}, writers{&errs}
	_, err := setup(t).Run(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, "out", out.String())
	require.Equal(t, "err", errs.String())
}

type writers []io.Writer

func (w writers) Write(p []byte) (int, error) { return w[0].Write(p) }

// E6: both are read at the same time, or the command would stand still when the
// pipe of the other is full.
func TestOutputOfBothIsReadAtOnce(t *testing.T) {
	t.Parallel()
	const n = 200_000
	for way, e := range watches(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			r, stdout, stderr := run(t, e, helper("both", strconv.Itoa(n)))
			require.True(t, r.OK())
			require.Equal(t, n, strings.Count(stdout, "o"))
			require.Equal(t, n, strings.Count(stderr, "e"))
		})
	}
}

// Output can be seen while the command goes on.
func TestOutputComesAtOnce(t *testing.T) {
	t.Parallel()
	for way, e := range watches(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			l := launch(t, e, helper("hang"))
			require.Equal(t, "ready", l.line())
			select {
			case <-l.done:
				require.Fail(t, "the command has ended")
			default:
			}
		})
	}
}

func TestOutputGoesIntoFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "output")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	require.NoError(t, err)
	_, err = file.WriteString("before ")
	require.NoError(t, err)
	a := attempt(helper("print", "out", "err"))
	a.Stdout, a.Stderr = file, file
	_, err = setup(t).Run(t.Context(), a)
	require.NoError(t, err)
	_, err = file.WriteString(" after")
	require.NoError(t, err, "the file is still open")
	require.NoError(t, file.Close())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	// The helper prints to stderr first.
	require.Equal(t, "before errout after", string(text))

	_, err = setup(t).Run(t.Context(), a)
	require.ErrorIs(t, err, os.ErrClosed)
}

// A writer that fails fails the attempt, and does not stop the command.
func TestOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	const size = 1 << 20
	for name, c := range map[string]struct {
		w    writeFunc
		want error
	}{
		"error": {func([]byte) (int, error) { return 0, full }, full},
		"short": {func(p []byte) (int, error) { return len(p) - 1, nil }, io.ErrShortWrite},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for way, e := range watches(t) {
				t.Run(way, func(t *testing.T) {
					t.Parallel()
					a := attempt(helper("flood", strconv.Itoa(size)))
					a.Stdout = c.w
					r, err := e.Run(t.Context(), a)
					require.ErrorIs(t, err, c.want)
					require.True(t, r.OK(), "the command itself did well")
				})
			}
		})
	}
	t.Run("of a command that failed", func(t *testing.T) {
		t.Parallel()
		a := attempt(helper("no such mode"))
		a.Stderr = writeFunc(func([]byte) (int, error) { return 0, full })
		r, err := setup(t).Run(t.Context(), a)
		require.NoError(t, err)
		require.Equal(t, 99, r.ExitCode)
		require.Contains(t, r.Message, full.Error())
	})
}

// R4: a panic fails the attempt, with its stack.
func TestOutputWriterThatPanics(t *testing.T) {
	t.Parallel()
	for way, e := range watches(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			a := attempt(helper("flood", "1000000"))
			a.Stdout = writeFunc(func([]byte) (int, error) { panic("on purpose") })
			_, err := e.Run(t.Context(), a)
			panicked, ok := errors.AsType[*executor.PanicError](err)
			require.True(t, ok)
			require.Equal(t, "on purpose", panicked.Value)
			require.NotEmpty(t, panicked.Stack)
		})
	}
}

type writeFunc func([]byte) (int, error)

func (f writeFunc) Write(p []byte) (int, error) { return f(p) }
