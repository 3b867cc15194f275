package capacity_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
)

// node returns a node with cores and memory.
func node(name string, cores, memoryMB int64) capacity.Node {
	return capacity.Node{Name: name, Total: ask(cores, memoryMB)}
}

func ask(cores, memoryMB int64) capacity.Resources {
	return capacity.Resources{dag.Cores: cores, dag.MemoryMB: memoryMB}
}

func cores(n int64) capacity.Resources { return capacity.Resources{dag.Cores: n} }

// allocate fails the test if it is refused.
func allocate(t *testing.T, a *capacity.Allocator, req capacity.Resources) *capacity.Lease {
	t.Helper()
	l, err := a.TryAllocate(req)
	require.NoError(t, err)
	return l
}

// refused fails the test if it is not refused.
func refused(t *testing.T, a *capacity.Allocator, req capacity.Resources) capacity.RefusedError {
	t.Helper()
	_, err := a.TryAllocate(req)
	var r *capacity.RefusedError
	require.ErrorAs(t, err, &r)
	return *r
}

// free returns what is free on a node that exists.
func free(t *testing.T, a *capacity.Allocator, name string) capacity.Resources {
	t.Helper()
	for _, n := range a.Nodes() {
		if n.Name == name {
			return n.Free
		}
	}
	require.Failf(t, "no such node", "%q", name)
	return nil
}

func TestC1LeastImpact(t *testing.T) {
	t.Parallel()
	const gib = 1024
	const huge = capacity.MaxAmount
	tests := map[string]struct {
		nodes []capacity.Node
		req   capacity.Resources
		want  string
	}{
		"golden case": {
			nodes: []capacity.Node{
				node("1", 70, 20*gib), node("2", 4, 80*gib), node("3", 10, 30*gib),
			},
			req:  ask(2, 5*gib),
			want: "3",
		},
		"tie goes to the first by name": {
			nodes: []capacity.Node{node("b", 8, 8), node("c", 8, 8), node("a", 8, 8)},
			req:   ask(2, 2),
			want:  "a",
		},
		"equal fractions of different size tie": {
			nodes: []capacity.Node{node("a", 8, 100), node("b", 100, 8)},
			req:   ask(4, 4),
			want:  "a",
		},
		"who does not fit is not considered": {
			nodes: []capacity.Node{node("a", 1000, 1), node("b", 2, 2)},
			req:   ask(2, 2),
			want:  "b",
		},
		"an exact fit is the largest impact": {
			nodes: []capacity.Node{node("a", 2, 0), node("b", 3, 0)},
			req:   cores(2),
			want:  "b",
		},
		"what is not asked for does not matter": {
			nodes: []capacity.Node{node("a", 4, 1), node("b", 8, 1)},
			req:   cores(1),
			want:  "b",
		},
		"differences that a float cannot see": {
			nodes: []capacity.Node{node("a", huge-1, 0), node("b", huge, 0)},
			req:   cores(huge - 2),
			want:  "b",
		},
		"products beyond 64 bits": {
			nodes: []capacity.Node{node("a", huge/2, huge/2), node("b", huge/2, huge/2+1)},
			req:   ask(1, huge/2),
			want:  "b",
		},
		"a zero asks for nothing": {
			nodes: []capacity.Node{node("a", 1, 0), node("b", 2, 0)},
			req:   ask(1, 0),
			want:  "b",
		},
		"nothing but zeros fits anywhere": {
			nodes: []capacity.Node{node("b", 1, 0), {Name: "a"}},
			req:   cores(0),
			want:  "a",
		},
		"C2: nil takes one core": {
			nodes: []capacity.Node{node("a", 0, 100), node("b", 1, 0)},
			req:   nil,
			want:  "b",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := capacity.New(tt.nodes...)
			require.Equal(t, tt.want, allocate(t, a, tt.req).Node())

			r, err := capacity.New(tt.nodes...).Prepare(tt.req)
			require.NoError(t, err)
			l, err := r.TryAllocate()
			require.NoError(t, err)
			require.Equal(t, tt.want, l.Node(), "prepared")
		})
	}
}

func TestC1ImpactIsOfWhatIsFree(t *testing.T) {
	t.Parallel()
	a := capacity.New(node("a", 10, 0), node("b", 9, 0))
	var order string
	for range 5 {
		order += allocate(t, a, cores(2)).Node()
	}
	require.Equal(t, "ababa", order)
	require.Equal(t, cores(4), free(t, a, "a"))
	require.Equal(t, cores(5), free(t, a, "b"))
}

func TestC2TotalIsNeverExceeded(t *testing.T) {
	t.Parallel()
	a := capacity.New(node("a", 3, 10))
	leases := []*capacity.Lease{
		allocate(t, a, ask(1, 5)), allocate(t, a, ask(1, 5)), allocate(t, a, cores(1)),
	}
	refused(t, a, cores(1))
	leases[0].Release()
	leases[0].Release() // idempotent: frees it once
	require.Equal(t, ask(1, 5), free(t, a, "a"))
	refused(t, a, cores(2))
	allocate(t, a, ask(1, 5))
	refused(t, a, nil)
}

func TestC2WhatIsLeased(t *testing.T) {
	t.Parallel()
	memory, licences := capacity.Resources{dag.MemoryMB: 5}, capacity.Resources{"licences": 2}
	tests := map[string]struct{ req, want capacity.Resources }{
		"nil takes one core":   {nil, cores(1)},
		"empty takes one core": {capacity.Resources{}, cores(1)},
		"zeros take nothing":   {ask(0, 0), capacity.Resources{}},
		"memory takes no core": {memory, memory},
		"any name":             {licences, licences},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := capacity.New(capacity.Node{Total: capacity.Resources{
				dag.Cores: 9, dag.MemoryMB: 9, "licences": 9,
			}})
			l := allocate(t, a, tt.req)
			require.Equal(t, tt.want, l.Resources())
			demand, err := capacity.Demand(tt.req)
			require.NoError(t, err)
			require.Equal(t, tt.want, demand)
			l.Resources()[dag.Cores] = 77 // the caller's own copy
			l.Release()
			require.Equal(t, a.Nodes()[0].Total, a.Nodes()[0].Free)
		})
	}
}

func TestRequestIsNotKept(t *testing.T) {
	t.Parallel()
	a := capacity.New(node("a", 9, 9))
	req := cores(2)
	l := allocate(t, a, req)
	req[dag.Cores] = 5
	require.Equal(t, cores(2), l.Resources())
	require.Equal(t, cores(5), allocate(t, a, req).Resources())
	l.Release()
	require.Equal(t, int64(4), free(t, a, "a")[dag.Cores])
}

func TestNegativeAmount(t *testing.T) {
	t.Parallel()
	a := capacity.New(node("a", 9, 9))
	req := ask(1, -1)

	_, err := a.TryAllocate(req)
	require.ErrorIs(t, err, capacity.ErrNegative)
	_, err = a.Allocate(t.Context(), req)
	require.ErrorIs(t, err, capacity.ErrNegative)
	_, err = a.Prepare(req)
	require.ErrorIs(t, err, capacity.ErrNegative)
	_, err = capacity.Demand(req)
	require.ErrorIs(t, err, capacity.ErrNegative)

	require.Equal(t, cores(1), a.Restore("a", req).Resources())
}

func TestZeroAllocator(t *testing.T) {
	t.Parallel()
	var a capacity.Allocator
	require.True(t, refused(t, &a, nil).Never)
	require.Empty(t, a.Nodes())
	a.SetNode(node("a", 1, 1))
	allocate(t, &a, nil).Release()
}

func TestTotals(t *testing.T) {
	t.Parallel()
	a := capacity.New(
		capacity.Node{Name: "a", Total: ask(-5, capacity.MaxAmount+1)},
		capacity.Node{Name: "b", Total: cores(1)},
		capacity.Node{Name: "b", Total: cores(2)},
	)
	require.Equal(t, []capacity.NodeInfo{
		{
			Name:  "a",
			Total: capacity.Resources{dag.MemoryMB: capacity.MaxAmount},
			Free:  capacity.Resources{dag.MemoryMB: capacity.MaxAmount},
		},
		{Name: "b", Total: cores(2), Free: cores(2)},
	}, a.Nodes())
}
