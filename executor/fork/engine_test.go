//go:build linux

package fork_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/internal/helperproc"
)

// engines are programs that embed the executor, for what a test cannot do to its
// own process. They exit with 0 if all is well.
func engines() map[string]helperproc.Mode {
	return map[string]helperproc.Mode{
		"engine-many":        engineMany,
		"engine-descriptors": engineDescriptors,
		"engine-flood":       engineFlood,
		"engine-ignoring":    engineIgnoring,
		"engine-detached":    engineDetachedFlood,
		"engine-limits":      engineLimits,
		"engine-nobody":      engineNobody,
		"crash-engine":       crashEngine,
		"crash-job":          crashJob,
	}
}

func TestEngine(t *testing.T) {
	t.Parallel()
	for mode, about := range map[string]string{
		"engine-many":        "thousands of attempts leave nothing (E1, R5)",
		"engine-descriptors": "want of descriptors is not started (E4)",
		"engine-flood":       "a gigabyte costs no memory (E6)",
		"engine-detached":    "a gigabyte costs no memory, there and in the supervisor (E6)",
		"engine-ignoring":    "an exit that is collected by others is an error",
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			output, err := helperproc.Exec(t.Context(), mode).CombinedOutput()
			require.NoError(t, err, string(output))
		})
	}
}

// trueAttempt is one that captures the outputs of a short command.
func trueAttempt() *executor.Attempt {
	a := attempt(dag.Command("true"))
	a.Stdout, a.Stderr = new(bytes.Buffer), new(bytes.Buffer)
	return a
}

func countDescriptors() (int, error) {
	entries, err := os.ReadDir("/proc/self/fd")
	return len(entries), err
}

func engineMany([]string) (int, error) {
	e := fork.New(fork.Config{})
	batch := func(n int) error {
		var running sync.WaitGroup
		errs := make(chan error, 4*n)
		for range 4 {
			running.Go(func() {
				for range n {
					r, err := e.Run(context.Background(), trueAttempt())
					if err == nil && !r.OK() {
						err = errors.New(r.String())
					}
					errs <- err
				}
			})
		}
		running.Wait()
		close(errs)
		for err := range errs {
			if err != nil {
				return err
			}
		}
		return nil
	}
	// The first few make what stays, such as the runtime's own poller.
	if err := batch(4); err != nil {
		return 0, err
	}
	fork.AwaitGroups(e)
	before, err := countDescriptors()
	goroutines := runtime.NumGoroutine()
	if err := errors.Join(err, batch(500)); err != nil {
		return 0, err
	}
	fork.AwaitGroups(e)
	after, err := countDescriptors()
	// Those of the batch may not have ended yet when they have been waited for.
	for tries := 0; tries < 1e6 && runtime.NumGoroutine() > goroutines; tries++ {
		runtime.Gosched()
	}
	if err == nil && (after > before || runtime.NumGoroutine() > goroutines) {
		err = fmt.Errorf("%d descriptors of %d, %d goroutines of %d are left",
			after-before, after, runtime.NumGoroutine()-goroutines, runtime.NumGoroutine())
	}
	if _, e := unix.Wait4(-1, nil, unix.WNOHANG, nil); !errors.Is(e, unix.ECHILD) {
		err = errors.Join(err, fmt.Errorf("a child is left: %w", e))
	}
	return 0, err
}

// engineDescriptors has one descriptor more every time.
func engineDescriptors([]string) (int, error) {
	e := fork.New(fork.Config{})
	if _, err := e.Run(context.Background(), trueAttempt()); err != nil {
		return 0, err
	}
	used, err := countDescriptors()
	if err != nil {
		return 0, err
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	refused, started := 0, 0
	for free := 0; free < 16; free++ {
		// used counts the descriptor that the directory was read with.
		limit.Cur = uint64(used - 1 + free)
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			return 0, err
		}
		r, err := e.Run(context.Background(), trueAttempt())
		_, notStarted := errors.AsType[*executor.NotStartedError](err)
		switch {
		case notStarted && errors.Is(err, unix.EMFILE):
			refused++
		case err != nil || !r.OK():
			return 0, fmt.Errorf("%d free: %v, %w", free, r, err)
		default:
			started++
		}
	}
	if refused == 0 || started == 0 {
		return 0, fmt.Errorf("%d refused and %d started", refused, started)
	}
	return 0, nil
}

func engineFlood([]string) (int, error) {
	before, err := peak()
	if err != nil {
		return 0, err
	}
	var count counter
	a := attempt(helper("flood", "1073741824"))
	a.Stdout = &count
	r, err := fork.New(fork.Config{}).Run(context.Background(), a)
	if err != nil || !r.OK() || count != 1<<30 {
		return 0, fmt.Errorf("%v, %d bytes: %w", r, count, err)
	}
	after, err := peak()
	if err == nil && after-before > 64<<20 {
		err = fmt.Errorf("it cost %d bytes", after-before)
	}
	return 0, err
}

// peak is the largest memory that this process ever had.
func peak() (int64, error) {
	var usage unix.Rusage
	err := unix.Getrusage(unix.RUSAGE_SELF, &usage)
	return usage.Maxrss << 10, err
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// engineIgnoring ignores SIGCHLD, so that the kernel collects its children.
func engineIgnoring([]string) (int, error) {
	signal.Ignore(unix.SIGCHLD)
	_, err := fork.New(fork.Config{}).Run(context.Background(), trueAttempt())
	if !errors.Is(err, unix.ECHILD) {
		return 0, fmt.Errorf("not that it was collected: %w", err)
	}
	return 0, nil
}
