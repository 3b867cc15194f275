package capacity_test

import (
	"context"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
)

// TestModel draws operations from a seed and compares every answer with a
// model that is as plain as C1 and C2 are written.
func TestModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { runModel(t, seed) })
		})
	}
}

func runModel(t *testing.T, seed uint64) {
	t.Helper()
	m := &model{
		Allocator: capacity.New(),
		rng:       rand.New(rand.NewPCG(seed, 1)),
	}
	for range 200 {
		m.step(t)
		m.collect()
		m.check(t)
	}
	for _, r := range m.line {
		r.Leave()
	}
	for _, w := range m.waiting {
		w.cancel()
	}
	m.collect()
	for _, l := range m.leases {
		l.Release()
	}
	m.leases = nil
	m.check(t)
	require.Empty(t, m.waiting)
	for _, n := range m.Nodes() {
		require.Nil(t, n.Reserved)
	}
}

type model struct {
	*capacity.Allocator
	rng     *rand.Rand
	leases  []*capacity.Lease
	line    []*capacity.Request
	waiting []modelWaiter
}

// A modelWaiter is a goroutine in Allocate.
type modelWaiter struct {
	granted <-chan *capacity.Lease
	cancel  func()
}

// collect takes in what has been granted to those who wait.
func (m *model) collect() {
	synctest.Wait()
	left := m.waiting[:0]
	for _, w := range m.waiting {
		select {
		case l, ok := <-w.granted:
			if ok {
				m.leases = append(m.leases, l)
			}
		default:
			left = append(left, w)
		}
	}
	m.waiting = left
}

func (m *model) resources(largest int64) capacity.Resources {
	r := capacity.Resources{}
	for _, name := range []string{"cores", "memoryMB", "gpus"} {
		if m.rng.IntN(3) > 0 {
			r[name] = m.rng.Int64N(largest + 1)
		}
	}
	return r
}

func (m *model) step(t *testing.T) {
	t.Helper()
	name := string(rune('a' + m.rng.IntN(5)))
	switch m.rng.IntN(30) {
	case 0, 1:
		m.SetNode(capacity.Node{Name: name, Total: m.resources(30)})
	case 16:
		m.SetNode(capacity.Node{
			Name: name, Total: m.resources(30), Taken: m.resources(10), Unknown: m.rng.IntN(8) == 0,
		})
	case 17:
		m.Suspend(name, "of the model")
	case 18, 19:
		m.Resume(name)
	case 2:
		m.Drain(name)
	case 3:
		m.Undrain(name)
	case 4:
		m.Remove(name)
	case 5:
		l := m.Restore(name, m.resources(10))
		require.Equal(t, name, l.Node())
		m.leases = append(m.leases, l)
	case 6:
		r := prepare(t, m.Allocator, m.resources(20))
		if l, err := r.TryAllocate(); err == nil {
			m.leases = append(m.leases, l)
		} else {
			m.line = append(m.line, r)
		}
	case 7:
		if len(m.line) > 0 {
			m.line[0].Leave()
			m.line = m.line[1:]
		}
	case 8:
		// Often enough past those in line that nodes are reserved for them.
		for range capacity.MaxOvertaken {
			if l, err := m.TryAllocate(cores(0)); err == nil {
				l.Release()
			}
		}
	case 9, 10:
		ctx, cancel := context.WithCancel(t.Context())
		granted := waiting(ctx, m.Allocator, m.resources(20))
		m.waiting = append(m.waiting, modelWaiter{granted, cancel})
	case 11:
		if len(m.waiting) > 0 {
			m.waiting[0].cancel()
		}
	case 12:
		// Granted or not, it may be asked again.
		if len(m.line) > 0 {
			if l, err := m.line[m.rng.IntN(len(m.line))].TryAllocate(); err == nil {
				m.leases = append(m.leases, l)
			}
		}
	case 13, 14, 15:
		if len(m.leases) > 0 {
			i := m.rng.IntN(len(m.leases))
			m.leases[i].Release()
			m.leases = slices.Delete(m.leases, i, i+1)
		}
	default:
		m.try(t, m.resources(8))
	}
}

// try asks the Allocator and the model.
func (m *model) try(t *testing.T, req capacity.Resources) {
	t.Helper()
	demand, err := capacity.Demand(req)
	require.NoError(t, err)
	var want string
	least := new(big.Rat)
	found, possible := false, false
	for _, n := range m.Nodes() {
		if n.Draining {
			continue
		}
		possible = possible || n.Unknown || within(demand, n.Total, nil)
		if n.Unknown || n.Suspended != "" || !within(demand, n.Free, n.Reserved) {
			continue
		}
		impact := new(big.Rat)
		for name, amount := range demand {
			share := big.NewRat(amount, n.Free[name]-n.Reserved[name])
			if share.Cmp(impact) > 0 {
				impact = share
			}
		}
		if !found || impact.Cmp(least) < 0 {
			found, want, least = true, n.Name, impact
		}
	}
	l, err := m.TryAllocate(req)
	if found {
		require.NoError(t, err)
		require.Equal(t, want, l.Node(), "%v", demand)
		m.leases = append(m.leases, l)
		return
	}
	var refusal *capacity.RefusedError
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, !possible, refusal.Never, "%v", err)
	if refusal.Held {
		require.NotEmpty(t, refusal.Node)
	}
}

func within(demand, room, reserved capacity.Resources) bool {
	for name, amount := range demand {
		if amount > room[name]-reserved[name] {
			return false
		}
	}
	return true
}

// check compares the books: what is leased, and that no more is reserved than
// there is.
func (m *model) check(t *testing.T) {
	t.Helper()
	used := map[string]capacity.Resources{}
	leases := map[string]int{}
	for _, l := range m.leases {
		node := l.Node()
		leases[node]++
		if used[node] == nil {
			used[node] = capacity.Resources{}
		}
		for name, amount := range l.Resources() {
			used[node][name] += amount
		}
	}
	require.NoError(t, capacity.Audit(m.Allocator))
	for _, n := range m.Nodes() {
		require.Equal(t, leases[n.Name], n.Leases)
		for name := range n.Total {
			require.Equal(t, n.Total[name]-n.Taken[name]-used[n.Name][name], n.Free[name],
				"%s %s", n.Name, name)
		}
		for name, amount := range n.Reserved {
			require.LessOrEqual(t, amount, n.Total[name])
		}
		if n.Draining || n.Suspended != "" || n.Unknown {
			require.Nil(t, n.Reserved, "reserved on a node that takes no work")
		}
	}
}
