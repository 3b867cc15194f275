package progress_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/runner/progress"
)

// modes are those that show something.
var modes = []progress.Mode{progress.Live, progress.Lines}

// Close shows the run for the last time. The run goes on, unseen.
func TestCloseDuringARun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := new(screen)
		display := progress.New(out, progress.Config{Mode: progress.Live})
		r := observed(display, script{"a": lasting(time.Minute), "b": lasting(time.Minute)})
		r.MaxRunning = 1
		h := start(t, r, tasks("a", "b"))
		pass(30 * time.Second)
		require.NoError(t, display.Close())
		require.Equal(t, "run still running: 1 running, 1 waiting", out.see(t)[1])
		writes := out.writes
		require.NoError(t, display.Close(), "again")
		_, err := h.Wait(t.Context())
		require.NoError(t, err)
		_, err = r.Run(t.Context(), tasks("b"))
		require.NoError(t, err)
		require.NoError(t, display.Wait(t.Context()))
		require.Equal(t, writes, out.writes)
	})
}

func TestCloseWithoutARun(t *testing.T) {
	t.Parallel()
	out := new(page)
	display := progress.New(out, progress.Config{})
	require.NoError(t, display.Wait(t.Context()))
	require.NoError(t, display.Close())
	require.NoError(t, display.Close())
	require.Empty(t, out.lines())
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		display := progress.New(io.Discard, progress.Config{})
		h := start(t, observed(display, script{"a": lasting(time.Minute)}), tasks("a"))
		pass(time.Second)
		enough := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(10*time.Second, func() { cancel(enough) })
		before := time.Now()
		require.ErrorIs(t, display.Wait(ctx), enough)
		require.Equal(t, 10*time.Second, time.Since(before))
		finish(t, display, h)
	})
}

// broken is a writer that fails after so many writes.
type broken struct {
	mu   sync.Mutex
	left int
}

var errDisk = errors.New("disk full")

func (b *broken) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left == 0 {
		return 0, errDisk
	}
	b.left--
	return len(p), nil
}

// A writer that fails hurts nobody, and Close tells.
func TestWriteError(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, n := range []int{0, 1} {
			t.Run(mode.String(), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					out := &broken{left: n}
					display := progress.New(out, progress.Config{Mode: mode, Every: time.Second})
					r := observed(display, script{"a": lasting(time.Minute)})
					for range 2 {
						_, err := r.Run(t.Context(), tasks("a", "b"))
						require.NoError(t, err)
					}
					err := display.Close()
					require.ErrorContains(t, err, "disk full")
					require.Equal(t, err, display.Close())
				})
			})
		}
	}
}

// stopped is a terminal on which somebody has pressed Ctrl-S.
type stopped struct{ released chan struct{} }

func (s *stopped) Write(p []byte) (int, error) {
	<-s.released
	return len(p), nil
}

// Runs go on while the output does not.
func TestBlockedWriter(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				out := &stopped{make(chan struct{})}
				display := progress.New(out, progress.Config{Mode: mode, Every: time.Second})
				r := observed(display, script{"a": lasting(time.Minute)})
				for range 3 {
					before := time.Now()
					_, err := r.Run(t.Context(), tasks("a", "b"))
					require.NoError(t, err)
					require.Equal(t, time.Minute, time.Since(before))
				}
				over := make(chan struct{})
				go func() {
					defer close(over)
					_ = display.Close()
				}()
				synctest.Wait()
				select {
				case <-over:
					require.Fail(t, "Close did not wait")
				default:
				}
				close(out.released)
				<-over
			})
		})
	}
}

// Many runs at once, with Close in their midst.
func TestConcurrentRuns(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			display := progress.New(new(page), progress.Config{Mode: mode})
			r := observed(display, script{"b": failing(time.Millisecond, "x")})
			var group sync.WaitGroup
			for i := range 8 {
				group.Go(func() {
					for range 10 {
						_, _ = r.Run(context.Background(), tasks("a", "b", "c"))
						_ = display.Wait(context.Background())
					}
					if i == 0 {
						_ = display.Close()
					}
				})
			}
			group.Wait()
			require.NoError(t, display.Close())
		})
	}
}
