package capacity_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
)

// fleet returns nodes that differ in size, so that the search cannot stop early.
func fleet(nodes int) *capacity.Allocator {
	a := capacity.New()
	for i := range nodes {
		a.SetNode(capacity.Node{Name: fmt.Sprintf("node%04d", i), Total: capacity.Resources{
			dag.Cores: int64(8 + i*37%57), dag.MemoryMB: int64(16384 + i*4099%65536), dag.GPUs: 4,
		}})
	}
	return a
}

// BenchmarkFloor is what a lock for each of the two steps costs already.
func BenchmarkFloor(b *testing.B) {
	var mu sync.Mutex
	b.ReportAllocs()
	for b.Loop() {
		mu.Lock()
		mu.Unlock() //nolint:staticcheck // the empty section is what is measured
		mu.Lock()
		mu.Unlock() //nolint:staticcheck // the empty section is what is measured
	}
}

// BenchmarkAllocate is one lease taken and given back, on a fleet that is half full.
func BenchmarkAllocate(b *testing.B) {
	requests := []struct {
		name string
		req  capacity.Resources
	}{{"none", nil}, {"cores", cores(1)}, {"cores+memory", ask(2, 1024)}}
	for _, nodes := range []int{1, 3, 100, 1000} {
		for _, r := range requests {
			b.Run(fmt.Sprintf("nodes=%d/ask=%s", nodes, r.name), func(b *testing.B) {
				a := fleet(nodes)
				for range 2 * nodes {
					_, err := a.TryAllocate(cores(1))
					require.NoError(b, err)
				}
				b.ReportAllocs()
				for b.Loop() {
					l, err := a.TryAllocate(r.req)
					if err != nil {
						b.Fatal(err)
					}
					l.Release()
				}
			})
		}
	}
}

// BenchmarkRequest is the same with what can be done beforehand done.
func BenchmarkRequest(b *testing.B) {
	for _, nodes := range []int{1, 3, 100, 1000} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			r, err := fleet(nodes).Prepare(ask(2, 1024))
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				l, err := r.TryAllocate()
				if err != nil {
					b.Fatal(err)
				}
				l.Release()
			}
		})
	}
}

// BenchmarkRefused is a question in vain, which a scheduler often asks.
func BenchmarkRefused(b *testing.B) {
	for _, nodes := range []int{1, 3, 100, 1000} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			a := fleet(nodes)
			for _, n := range a.Nodes() {
				a.Restore(n.Name, n.Total)
			}
			r, err := a.Prepare(ask(2, 1024))
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.TryAllocate(); err == nil {
					b.Fatal("a full fleet has room")
				}
			}
		})
	}
}

// BenchmarkContended is BenchmarkAllocate from all cores at once.
func BenchmarkContended(b *testing.B) {
	a := fleet(3)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l, err := a.TryAllocate(cores(1))
			if err != nil {
				b.Error(err)
				return
			}
			l.Release()
		}
	})
}

// BenchmarkLine is one lease handed from its holder to the first of a line.
func BenchmarkLine(b *testing.B) {
	for _, waiting := range []int{1, 100, 10000} {
		b.Run(fmt.Sprintf("waiting=%d", waiting), func(b *testing.B) {
			a := capacity.New(node("a", 1, 0))
			leases := make(chan *capacity.Lease, waiting)
			for range waiting {
				go func() {
					for {
						l, err := a.Allocate(b.Context(), nil)
						if err != nil {
							return
						}
						leases <- l
					}
				}()
			}
			b.ReportAllocs()
			for b.Loop() {
				(<-leases).Release()
			}
		})
	}
}

// BenchmarkNews is what a node of a fleet that is half full costs when it says what
// others take of it, while one of ten is away.
func BenchmarkNews(b *testing.B) {
	for _, nodes := range []int{3, 1000} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			a := fleet(nodes)
			for i, n := range a.Nodes() {
				if i%10 == 9 {
					a.Suspend(n.Name, "unreachable")
				}
			}
			taken := [2]capacity.Resources{cores(1), ask(2, 1024)}
			n := a.Nodes()[0]
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				a.SetNode(capacity.Node{Name: n.Name, Total: n.Total, Taken: taken[i%2]})
			}
		})
	}
}

// The line and the search take no memory, and leases take it in slabs.
func TestAllocations(t *testing.T) {
	a := fleet(1000)
	a.Suspend("node0007", "unreachable")
	r := prepare(t, a, ask(2, 1024))
	once := func(l *capacity.Lease, err error) {
		if err != nil {
			t.Error(err)
			return
		}
		l.Release()
	}
	req := ask(1, 512)
	require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { once(r.TryAllocate()) }), 1.0)
	require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { once(a.TryAllocate(req)) }), 1.0)
	require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { once(a.TryAllocate(nil)) }), 1.0)
}
