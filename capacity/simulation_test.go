package capacity_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
)

// TestC3Simulation keeps a fleet full of small jobs and drops big ones in. No
// big one may be starved: once it has been overtaken MaxOvertaken times, it is
// served after the longest job there is, times those in line before it.
func TestC3Simulation(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			s := newSimulation(seed)
			for range 1000 {
				s.step(t)
			}
			s.finish(t)
		})
	}
}

const longestJob = 50

type simulation struct {
	*capacity.Allocator
	rng     *rand.Rand
	nodes   int
	size    int64 // of the largest node
	now     int
	running map[int][]*capacity.Lease // by the time they end
	line    []*bigJob                 // that have been refused, in order
	served  int
}

type bigJob struct {
	*capacity.Request
	overtaken int
	deadline  int // 0: not overtaken too often yet
}

func newSimulation(seed uint64) *simulation {
	s := &simulation{
		Allocator: capacity.New(),
		rng:       rand.New(rand.NewPCG(seed, 2)),
		running:   map[int][]*capacity.Lease{},
	}
	s.nodes = 1 + s.rng.IntN(4)
	for i := range s.nodes {
		size := 4 + s.rng.Int64N(13)
		s.size = max(s.size, size)
		s.SetNode(node(string(rune('a'+i)), size, size*10))
	}
	return s
}

func (s *simulation) step(t *testing.T) {
	t.Helper()
	s.now++
	for _, l := range s.running[s.now] {
		l.Release()
	}
	delete(s.running, s.now)
	// Those in line learn of the release in any order, and are not the only
	// ones: sometimes the small ones are faster.
	if s.rng.IntN(2) == 0 {
		s.small(t)
	}
	for _, i := range s.rng.Perm(len(s.line)) {
		s.ask(s.line[i])
	}
	s.line = remaining(s.line)
	if s.rng.IntN(20) == 0 {
		s.arrive(t)
	}
	s.small(t)
	for i, b := range s.line {
		if b.overtaken >= capacity.MaxOvertaken && b.deadline == 0 {
			b.deadline = s.now + (i+1)*longestJob + 1
		}
		require.True(t, b.deadline == 0 || s.now <= b.deadline,
			"place %d in line, overtaken %d times", i, b.overtaken)
	}
	s.check(t)
}

// small places small jobs until they are refused.
func (s *simulation) small(t *testing.T) {
	t.Helper()
	for {
		l, err := s.TryAllocate(ask(1+s.rng.Int64N(2), s.rng.Int64N(10)))
		if err != nil {
			return
		}
		s.run(l)
		for _, b := range s.line {
			b.overtaken++
		}
		if s.nodes > 1 || len(s.line) == 0 || s.line[0].overtaken <= capacity.MaxOvertaken {
			continue
		}
		// The only node is reserved for the first in line, so that only what
		// leaves it room enough can have been placed.
		require.True(t, s.ask(s.line[0]), "overtaken %d times", s.line[0].overtaken)
		s.line = s.line[1:]
	}
}

func (s *simulation) arrive(t *testing.T) {
	t.Helper()
	b := &bigJob{Request: prepare(t, s.Allocator, cores(1+s.size/2+s.rng.Int64N(s.size/2)))}
	if s.ask(b) {
		for _, other := range s.line {
			other.overtaken++
		}
		return
	}
	s.line = append(s.line, b)
}

func (s *simulation) ask(b *bigJob) bool {
	l, err := b.TryAllocate()
	if err != nil {
		return false
	}
	for _, other := range s.line {
		if other == b {
			break
		}
		other.overtaken++
	}
	s.run(l)
	b.Request = nil
	s.served++
	return true
}

func (s *simulation) run(l *capacity.Lease) {
	end := s.now + 1 + s.rng.IntN(longestJob)
	s.running[end] = append(s.running[end], l)
}

func (s *simulation) check(t *testing.T) {
	t.Helper()
	require.NoError(t, capacity.Audit(s.Allocator))
	for _, n := range s.Nodes() {
		for name, amount := range n.Free {
			require.GreaterOrEqual(t, amount, int64(0), "C2: %s of %s", name, n.Name)
		}
	}
}

// finish lets everything end and wants everything back.
func (s *simulation) finish(t *testing.T) {
	t.Helper()
	for len(s.line) > 0 || len(s.running) > 0 {
		s.now++
		for _, l := range s.running[s.now] {
			l.Release()
		}
		delete(s.running, s.now)
		for _, b := range s.line {
			s.ask(b)
		}
		s.line = remaining(s.line)
	}
	require.Greater(t, s.served, 10)
	for _, n := range s.Nodes() {
		require.Equal(t, n.Total, n.Free)
		require.Nil(t, n.Reserved)
		require.Zero(t, n.Leases)
	}
}

func remaining(line []*bigJob) []*bigJob {
	var left []*bigJob
	for _, b := range line {
		if b.Request != nil {
			left = append(left, b)
		}
	}
	return left
}
