package capacity_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
)

// shadow counts what is leased of each node. A lease is added after it was
// granted and taken off before it is released, so that it never counts more
// than the Allocator must.
type shadow struct {
	used  map[string]*atomic.Int64
	total map[string]int64
}

func (s *shadow) hold(t *testing.T, l *capacity.Lease) {
	t.Helper()
	node, n := l.Node(), l.Resources()["cores"]
	if sum := s.used[node].Add(n); sum > s.total[node] {
		t.Errorf("C2: %d of %d cores leased on %s", sum, s.total[node], node)
	}
	s.used[node].Add(-n)
	l.Release()
	l.Release()
}

// TestC2Stress lets everything happen at once. That it ends shows that nobody
// who waits is forgotten.
func TestC2Stress(t *testing.T) {
	t.Parallel()
	a := capacity.New()
	s := &shadow{used: map[string]*atomic.Int64{}, total: map[string]int64{}}
	for name, size := range map[string]int64{"a": 4, "b": 8, "c": 16} {
		a.SetNode(node(name, size, 0))
		s.used[name], s.total[name] = new(atomic.Int64), size
	}
	var wg sync.WaitGroup
	for seed := range uint64(6) {
		wg.Go(func() { waitOften(t, a, s, rand.New(rand.NewPCG(seed, 3))) })
		wg.Go(func() { askOften(t, a, s, rand.New(rand.NewPCG(seed, 4))) })
	}
	wg.Go(func() { listenOften(a) })
	stop := make(chan struct{})
	changing := make(chan struct{})
	go func() {
		defer close(changing)
		changeNodes(a, s, stop)
	}()
	wg.Wait()
	close(stop)
	<-changing

	for _, n := range a.Nodes() {
		require.Equal(t, n.Total, n.Free)
		require.Equal(t, cores(s.total[n.Name]), n.Free)
		require.Nil(t, n.Reserved)
		require.Zero(t, n.Leases)
	}
}

// waitOften uses Allocate. c is never taken away, so that all of it fits later.
func waitOften(t *testing.T, a *capacity.Allocator, s *shadow, rng *rand.Rand) {
	t.Helper()
	var canceled sync.WaitGroup
	defer canceled.Wait()
	for i := range 400 {
		ctx, cancel := context.WithCancelCause(context.Background())
		impatient := i%10 == 0
		if impatient {
			canceled.Go(func() { cancel(errImpatient) })
		}
		l, err := a.Allocate(ctx, cores(1+rng.Int64N(16)))
		switch {
		case err == nil:
			s.hold(t, l)
		case !impatient || !errors.Is(err, errImpatient):
			t.Errorf("allocate: %v", err)
		}
		cancel(nil)
	}
}

var errImpatient = errors.New("impatient")

// askOften uses TryAllocate and a Request.
func askOften(t *testing.T, a *capacity.Allocator, s *shadow, rng *rand.Rand) {
	t.Helper()
	r, err := a.Prepare(cores(1 + rng.Int64N(16)))
	if err != nil {
		t.Error(err)
		return
	}
	defer r.Leave()
	for range 1000 {
		if l, err := a.TryAllocate(cores(1 + rng.Int64N(4))); err == nil {
			s.hold(t, l)
		}
		if l, err := r.TryAllocate(); err == nil {
			s.hold(t, l)
		}
	}
}

func listenOften(a *capacity.Allocator) {
	var calls atomic.Int64
	for range 200 {
		stop := a.Notify(func() { calls.Add(1) })
		a.Nodes()
		stop()
	}
}

func changeNodes(a *capacity.Allocator, s *shadow, stop <-chan struct{}) {
	for {
		for _, name := range []string{"a", "b"} {
			select {
			case <-stop:
				a.Undrain(name)
				a.SetNode(node(name, s.total[name], 0))
				a.Undrain("a")
				return
			default:
			}
			a.Drain(name)
			a.Undrain(name)
			a.Remove(name)
			a.SetNode(node(name, s.total[name], 0))
		}
	}
}
