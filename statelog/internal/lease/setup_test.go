package lease_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/internal/lease"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	term      = 30 * time.Second
	lostAfter = term * 2 / 3
)

// A store gives runs for a term by the clock of the test.
type store struct {
	start time.Time

	// mu guards the fields below.
	mu   sync.Mutex
	runs map[string]held
	// calls are what arrived: "take", "renew" or "give".
	calls []string
	// fault is asked before a call is done, with the time since the store was
	// made. Nil: there is none.
	fault func(ctx context.Context, call string, since time.Duration) error
}

type held struct {
	engine string
	until  time.Time
}

func newStore() *store { return &store{start: time.Now(), runs: make(map[string]held)} }

// on changes the store while it is in use.
func (s *store) on(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *store) arrived() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func (s *store) holder(run string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.runs[run]; time.Now().Before(h.until) {
		return h.engine
	}
	return ""
}

// do does what a call is for, unless there is a fault or another engine has the
// run.
func (s *store) do(ctx context.Context, call, run, engine string, f func()) error {
	s.mu.Lock()
	s.calls = append(s.calls, call)
	fault := s.fault
	s.mu.Unlock()
	if fault != nil {
		if err := fault(ctx, call, time.Since(s.start)); err != nil {
			return err
		}
	}
	if other := s.holder(run); other != "" && other != engine {
		return fmt.Errorf("%q: %w", other, statelog.ErrActive)
	}
	s.on(f)
	return nil
}

func (s *store) Take(ctx context.Context, run, engine string) error {
	return s.do(ctx, "take", run, engine, func() {
		s.runs[run] = held{engine, time.Now().Add(term)}
	})
}

func (s *store) Renew(ctx context.Context, run, engine string) error {
	return s.do(ctx, "renew", run, engine, func() {
		s.runs[run] = held{engine, time.Now().Add(term)}
	})
}

func (s *store) Give(ctx context.Context, run, engine string) error {
	return s.do(ctx, "give", run, engine, func() { delete(s.runs, run) })
}

// A watched lease notes when it was lost.
type watched struct {
	release func() error
	start   time.Time

	mu   sync.Mutex
	lost []time.Duration // since it was taken, one for each call
}

// lock takes "run" for "engine", in virtual time.
func lock(t *testing.T, k *lease.Keeper) *watched {
	t.Helper()
	release, err := k.Lock(t.Context(), "run", "engine")
	require.NoError(t, err)
	w := &watched{release: release, start: time.Now()}
	k.OnLost("run", "engine", func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.lost = append(w.lost, time.Since(w.start))
	})
	stopped := k.OnLost("run", "engine", func() { t.Error("it was taken back") })
	stopped()
	k.OnLost("run", "other", func() { t.Error("it does not have the run") })
	return w
}

// whenLost returns when it was lost. That is said once.
func (w *watched) whenLost(t *testing.T) (at time.Duration, lost bool) {
	t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.lost) == 0 {
		return 0, false
	}
	require.Len(t, w.lost, 1, "calls of a function")
	return w.lost[0], true
}

// pass has time pass.
func pass(d time.Duration) { <-time.After(d) }
