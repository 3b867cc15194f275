package capacity_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
)

func TestRefusedError(t *testing.T) {
	t.Parallel()
	const gpus = dag.GPUs
	tests := map[string]struct {
		nodes []capacity.Node
		taken map[string]capacity.Resources // by node
		drain []string
		req   capacity.Resources
		want  capacity.RefusedError
	}{
		"never: more than the largest node has": {
			nodes: []capacity.Node{node("a", 8, 32768), node("b", 64, 1024)},
			taken: map[string]capacity.Resources{"a": ask(1, 768)},
			req:   ask(1, 40960),
			want: capacity.RefusedError{
				Resource: dag.MemoryMB, Needs: 40960, Free: 32000, Largest: 32768, Never: true,
			},
		},
		"never: no node has any": {
			nodes: []capacity.Node{node("a", 8, 8)},
			req:   capacity.Resources{gpus: 1},
			want:  capacity.RefusedError{Resource: gpus, Needs: 1, Never: true},
		},
		"never: of two that are too much the first by name": {
			nodes: []capacity.Node{node("a", 8, 8)},
			req:   ask(9, 9),
			want: capacity.RefusedError{
				Resource: dag.Cores, Needs: 9, Free: 8, Largest: 8, Never: true,
			},
		},
		"never: each is there, but on different nodes": {
			nodes: []capacity.Node{node("a", 8, 1), node("b", 1, 8)},
			req:   ask(4, 4),
			want:  capacity.RefusedError{Never: true},
		},
		"never: no nodes": {
			req:  cores(1),
			want: capacity.RefusedError{Never: true},
		},
		"never: all nodes drain": {
			nodes: []capacity.Node{node("a", 8, 8)},
			drain: []string{"a"},
			req:   cores(0),
			want:  capacity.RefusedError{Never: true},
		},
		"never: only a draining node is big enough": {
			nodes: []capacity.Node{node("a", 8, 8), node("b", 2, 2)},
			drain: []string{"a"},
			req:   cores(4),
			want: capacity.RefusedError{
				Resource: dag.Cores, Needs: 4, Free: 2, Largest: 2, Never: true,
			},
		},
		"later: not enough of one": {
			nodes: []capacity.Node{node("a", 8, 8), node("b", 4, 8), node("c", 8, 8)},
			taken: map[string]capacity.Resources{
				"a": cores(6), "b": cores(1), "c": cores(5),
			},
			req: ask(4, 1),
			want: capacity.RefusedError{
				Resource: dag.Cores, Needs: 4, Free: 3, Largest: 8, Node: "b",
			},
		},
		"later: each is free, but on different nodes": {
			nodes: []capacity.Node{node("a", 8, 8), node("b", 8, 8)},
			taken: map[string]capacity.Resources{"a": ask(7, 1), "b": ask(1, 6)},
			req:   ask(4, 4),
			// 3 of 8 cores are missing on a, 2 of 8 of the memory on b.
			want: capacity.RefusedError{Node: "b"},
		},
		"later: free on a node that is too small in total does not count": {
			nodes: []capacity.Node{node("a", 8, 8), node("b", 8, 1)},
			taken: map[string]capacity.Resources{"a": cores(8)},
			req:   ask(4, 4),
			want:  capacity.RefusedError{Node: "a"},
		},
		"later: more is leased than there is": {
			nodes: []capacity.Node{node("a", 8, 8)},
			taken: map[string]capacity.Resources{"a": cores(20)},
			req:   cores(1),
			want: capacity.RefusedError{
				Resource: dag.Cores, Needs: 1, Free: -12, Largest: 8, Node: "a",
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := capacity.New(tt.nodes...)
			for n, r := range tt.taken {
				a.Restore(n, r)
			}
			for _, n := range tt.drain {
				require.True(t, a.Drain(n))
			}
			got := refused(t, a, tt.req)
			t.Log(got.Error())
			requireRefusal(t, tt.want, got)

			// Both ways to ask get the same answer.
			r, err := a.Prepare(tt.req)
			require.NoError(t, err)
			_, err = r.TryAllocate()
			var again *capacity.RefusedError
			require.ErrorAs(t, err, &again)
			requireRefusal(t, tt.want, *again)
			r.Leave()
		})
	}
}

// requireRefusal compares what is exported, and wants some text.
func requireRefusal(t *testing.T, want, got capacity.RefusedError) {
	t.Helper()
	require.NotEmpty(t, got.Error())
	require.Equal(t, want, capacity.RefusedError{
		Resource: got.Resource, Needs: got.Needs, Free: got.Free, Largest: got.Largest,
		Node: got.Node, Held: got.Held, Never: got.Never,
	})
}

// R6: a user who reads the text has to learn what is missing and where.
func TestRefusedErrorNamesNumbers(t *testing.T) {
	t.Parallel()
	a := capacity.New(node("big", 8, 32768))
	err := refused(t, a, capacity.Resources{dag.MemoryMB: 40960})
	for _, part := range []string{"40960", "32768", dag.MemoryMB} {
		require.Contains(t, err.Error(), part)
	}
	a.Restore("big", cores(6))
	err = refused(t, a, cores(4))
	for _, part := range []string{"4", "2", dag.Cores, "big"} {
		require.Contains(t, err.Error(), part)
	}
	require.NotEmpty(t, (&capacity.RefusedError{}).Error(), "one that a fake has made")
}
