package capacity_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
)

func TestSuspendedNodeIsExpectedBack(t *testing.T) {
	t.Parallel()
	a := capacity.New(node("a", 8, 0), node("b", 2, 0))
	require.True(t, a.Suspend("a", "unreachable"))
	require.Equal(t, "b", allocate(t, a, nil).Node())

	err := refused(t, a, cores(4))
	require.False(t, err.Never, "%v", err)
	require.Equal(t, "a", err.Away)
	require.Equal(t, "unreachable", err.Reason)
	require.Empty(t, err.Node)
	require.Equal(t, `needs 4 cores, and no node that takes work is big enough; `+
		`node "a" takes none now (unreachable)`, err.Error())
	require.True(t, refused(t, a, cores(9)).Never, "not even with a")
	require.EqualValues(t, 8, refused(t, a, cores(9)).Largest)

	allocate(t, a, nil)
	require.Equal(t, `needs 1 cores, at most 0 are free (node "b"); `+
		`node "a" takes none now (unreachable)`, a.Check(nil).Error())
	require.Equal(t, "unreachable", a.Nodes()[0].Suspended)
	require.True(t, a.Resume("a"))
	require.Equal(t, "a", allocate(t, a, cores(4)).Node())
	require.False(t, a.Suspend("c", "who?"))
	require.False(t, a.Resume("c"))
}

func TestAllNodesAway(t *testing.T) {
	t.Parallel()
	a := capacity.New(node("a", 8, 0), node("b", 9, 0))
	a.Suspend("a", "one")
	a.Suspend("b", "two")
	a.SetNode(capacity.Node{Name: "c", Unknown: true})
	err := refused(t, a, cores(4))
	require.False(t, err.Never)
	require.Equal(t, "a", err.Away)
	require.Equal(t, 2, err.Others)
	require.Equal(t, "c", refused(t, a, cores(100)).Away, "it may have that many")
	a.Drain("c")
	require.True(t, refused(t, a, cores(100)).Never)
	a.Remove("a")
	require.Equal(t, "b", refused(t, a, cores(4)).Away)
}

func TestUnknownNodeBecomesKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := capacity.New(capacity.Node{Name: "a", Unknown: true})
		require.True(t, a.Nodes()[0].Unknown)
		granted := waiting(context.Background(), a, cores(4))
		synctest.Wait()
		require.Empty(t, granted, "nobody knows whether it fits")
		a.SetNode(node("a", 4, 0))
		synctest.Wait()
		(<-granted).Release()

		granted = waiting(context.Background(), a, cores(5))
		synctest.Wait()
		_, ok := <-granted
		require.False(t, ok, "refused for ever once it is known")
	})
}

func TestTakenByOthers(t *testing.T) {
	t.Parallel()
	a := capacity.New(capacity.Node{Name: "a", Total: cores(8), Taken: cores(6)})
	require.Equal(t, capacity.NodeInfo{
		Name: "a", Total: cores(8), Free: cores(2), Taken: cores(6),
	}, a.Nodes()[0])
	err := refused(t, a, cores(3))
	require.False(t, err.Never, "others give it back")
	require.EqualValues(t, 2, err.Free)
	l := allocate(t, a, cores(2))
	require.False(t, refused(t, a, nil).Never)
	l.Release()

	// What comes free for others serves those who wait.
	r := prepare(t, a, cores(8))
	_, refusal := r.TryAllocate()
	require.Error(t, refusal)
	called := 0
	defer a.Notify(func() { called++ })()
	a.SetNode(node("a", 8, 0))
	require.Positive(t, called)
	_, refusal = r.TryAllocate()
	require.NoError(t, refusal)
}

func TestExplain(t *testing.T) {
	t.Parallel()
	a := capacity.New(node("a", 2, 9), node("b", 8, 16), node("c", 8, 16), node("d", 8, 16))
	allocate(t, a, ask(1, 9))
	a.Suspend("c", "unreachable since noon")
	a.Drain("d")
	a.SetNode(capacity.Node{Name: "e", Unknown: true})
	require.Equal(t, `"b" has 7 of 8 cores free, 7 of 16 memoryMB free; `+
		`"c" takes none now (unreachable since noon); "e" has not said yet what it has; `+
		`"d" drains; "a" has 2 of 2 cores free, 9 of 9 memoryMB free`, a.Explain(ask(4, 12)))
	for _, name := range []string{"f", "g", "h", "i", "j"} {
		a.SetNode(node(name, 1, 1))
	}
	require.Contains(t, a.Explain(nil), "; and 2 more")
	require.Empty(t, capacity.New().Explain(nil))
	require.Empty(t, a.Explain(cores(-1)))
}
