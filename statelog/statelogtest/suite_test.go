package statelogtest

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/memlog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The suite is tested with logs that each break a rule: it must find them out,
// at that rule.
func TestBrokenLogsFail(t *testing.T) {
	t.Parallel()
	for _, b := range brokenLogs {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			failures := failures(t, Config{
				New: b.new, Reopen: reopenStored, Lose: loseLock,
				// What waits for a lock in these logs waits for ever.
				Records: 1000, Patience: 100 * time.Millisecond,
			})
			require.Contains(t, failures, b.fails, "the check that should have failed")
			t.Logf("a log that %s fails %q, as it should:\n%s", b.name, b.fails, failures[b.fails])
		})
	}
}

// A log that is right passes through the same recorder.
func TestGoodLogsPass(t *testing.T) {
	t.Parallel()
	for name, log := range map[string]func() statelog.StateLogger{
		"memlog":             func() statelog.StateLogger { return memlog.New() },
		"memlog and locks":   func() statelog.StateLogger { return &locking{Log: memlog.New()} },
		"memlog and leases":  func() statelog.StateLogger { return newLeasing() },
		"memlog and a store": func() statelog.StateLogger { return &stored{Log: memlog.New()} },
		"memlog and pruning": func() statelog.StateLogger { return &pruning{Log: memlog.New()} },
		"faulty without faults": func() statelog.StateLogger {
			return &Faulty{Log: memlog.New()}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Empty(t, failures(t, Config{
				New:    func(testing.TB) statelog.StateLogger { return log() },
				Reopen: reopenStored, Lose: loseLock, Patience: time.Minute,
			}))
		})
	}
}

// Every check is failed by a log that breaks its rule, so none is for nothing.
func TestEveryCheckIsTested(t *testing.T) {
	t.Parallel()
	broken := map[string]bool{}
	for _, b := range brokenLogs {
		broken[b.fails] = true
	}
	for _, ch := range checks {
		require.True(t, broken[ch.name], "no broken log is meant for %q", ch.name)
		delete(broken, ch.name)
	}
	require.Empty(t, broken, "checks that there are not")
}

// failures runs all checks and returns what those that fail say.
func failures(t *testing.T, c Config) map[string]string {
	t.Helper()
	failed := map[string]string{}
	for _, ch := range checks {
		rec := &recorder{ctx: t.Context()}
		done := make(chan struct{})
		go func() {
			defer close(done)
			ch.run(newSuite(rec, c.New(t), c).owned(t, c))
		}()
		<-done
		if len(rec.texts) > 0 {
			failed[ch.name] = strings.Join(rec.texts, "\n")
		}
	}
	return failed
}

// A recorder is a tb that remembers instead of failing.
type recorder struct {
	ctx context.Context //nolint:containedctx // it stands in for testing.T, which has one

	mu    sync.Mutex
	texts []string
}

func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Helper()                  {}
func (r *recorder) Logf(string, ...any)      {}
func (r *recorder) FailNow()                 { runtime.Goexit() }

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts = append(r.texts, strings.TrimSpace(fmt.Sprintf(format, args...)))
}
