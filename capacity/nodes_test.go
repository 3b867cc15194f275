package capacity_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
)

func TestDrain(t *testing.T) {
	t.Parallel()
	a := capacity.New(node("a", 9, 0), node("b", 2, 0))
	l := allocate(t, a, nil)
	require.Equal(t, "a", l.Node())
	require.True(t, a.Drain("a"))
	require.Equal(t, "b", allocate(t, a, nil).Node())
	require.Equal(t, capacity.NodeInfo{
		Name: "a", Total: cores(9), Free: cores(8), Leases: 1, Draining: true,
	}, a.Nodes()[0])

	a.SetNode(node("a", 8, 0))
	require.True(t, a.Nodes()[0].Draining, "a new total does not undrain")
	l.Release()
	require.Zero(t, a.Nodes()[0].Leases)
	allocate(t, a, nil)
	require.True(t, refused(t, a, cores(8)).Never)
	require.True(t, a.Undrain("a"))
	require.Equal(t, "a", allocate(t, a, cores(8)).Node())

	require.False(t, a.Drain("c"))
	require.False(t, a.Undrain("c"))
}

func TestDrainMovesTheReservation(t *testing.T) {
	t.Parallel()
	a := capacity.New(node("a", 4, 0), node("b", 4, 0))
	a.Restore("a", cores(1))
	a.Restore("b", cores(2))
	_, _ = ask1(t, prepare(t, a, cores(4)))
	overtake(t, a, capacity.MaxOvertaken)
	require.Equal(t, cores(4), a.Nodes()[0].Reserved)
	a.Drain("a")
	require.Nil(t, a.Nodes()[0].Reserved)
	require.Equal(t, cores(4), a.Nodes()[1].Reserved)
	a.Remove("b")
	require.Nil(t, a.Nodes()[0].Reserved)
	a.Undrain("a")
	require.Equal(t, cores(4), a.Nodes()[0].Reserved)
}

func TestRemoveWhileLeased(t *testing.T) {
	t.Parallel()
	a := capacity.New(node("a", 4, 0), node("b", 1, 0))
	old := allocate(t, a, cores(3))
	require.True(t, a.Remove("a"))
	require.False(t, a.Remove("a"))
	require.False(t, a.Drain("a"))
	require.Len(t, a.Nodes(), 1)
	require.Equal(t, "a", old.Node())
	require.True(t, refused(t, a, cores(2)).Never)

	a.SetNode(node("a", 4, 0))
	require.Equal(t, cores(1), free(t, a, "a"), "what runs there still does")
	old.Release()
	old.Release()
	require.Equal(t, cores(4), free(t, a, "a"))

	l := allocate(t, a, cores(4))
	a.Remove("a")
	l.Release()
	a.SetNode(node("a", 2, 0))
	require.Equal(t, cores(2), free(t, a, "a"))
}

func TestShrinkBelowWhatIsLeased(t *testing.T) {
	t.Parallel()
	a := capacity.New(node("a", 4, 0))
	l, other := allocate(t, a, cores(3)), allocate(t, a, cores(1))
	a.SetNode(node("a", 2, 0))
	require.Equal(t, cores(-2), free(t, a, "a"))
	refused(t, a, nil)
	other.Release()
	refused(t, a, nil)
	l.Release()
	allocate(t, a, cores(2))
}

func TestChangeOfAReservedNode(t *testing.T) {
	t.Parallel()
	a := capacity.New(node("a", 4, 0))
	one := allocate(t, a, cores(1))
	r := prepare(t, a, cores(4))
	_, _ = ask1(t, r)
	overtake(t, a, capacity.MaxOvertaken)
	require.Equal(t, cores(4), a.Nodes()[0].Reserved)
	a.SetNode(node("a", 6, 0))
	require.Equal(t, cores(4), a.Nodes()[0].Reserved)
	allocate(t, a, cores(1))
	require.True(t, refused(t, a, cores(1)).Held)
	one.Release()
	l, _ := ask1(t, r)
	require.NotNil(t, l)
	allocate(t, a, cores(1))
	refused(t, a, cores(1))
}

func TestRestore(t *testing.T) {
	t.Parallel()
	t.Run("above the total", func(t *testing.T) {
		t.Parallel()
		a := capacity.New(node("a", 4, 0))
		l := a.Restore("a", capacity.Resources{"cores": 6, "gpus": 1})
		require.Equal(t, []capacity.NodeInfo{{
			Name:   "a",
			Total:  capacity.Resources{"cores": 4, "gpus": 0},
			Free:   capacity.Resources{"cores": -2, "gpus": -1},
			Leases: 1,
		}}, a.Nodes())
		require.False(t, refused(t, a, nil).Never)
		l.Release()
		require.Equal(t, cores(4), free(t, a, "a"))
	})
	t.Run("one core by default", func(t *testing.T) {
		t.Parallel()
		a := capacity.New(node("a", 4, 0))
		require.Equal(t, cores(1), a.Restore("a", nil).Resources())
		require.Equal(t, cores(3), free(t, a, "a"))
	})
	t.Run("before the node is known", func(t *testing.T) {
		t.Parallel()
		a := capacity.New()
		l := a.Restore("a", cores(3))
		require.Equal(t, "a", l.Node())
		require.Empty(t, a.Nodes())
		require.True(t, refused(t, a, nil).Never)
		a.SetNode(node("a", 4, 0))
		require.Equal(t, cores(1), free(t, a, "a"))
		l.Release()
		require.Equal(t, cores(4), free(t, a, "a"))
	})
	t.Run("released before the node is known", func(t *testing.T) {
		t.Parallel()
		a := capacity.New(node("b", 1, 0))
		a.Restore("a", cores(3)).Release()
		require.Equal(t, "b", allocate(t, a, nil).Node())
	})
	t.Run("more than any node can have", func(t *testing.T) {
		t.Parallel()
		a := capacity.New(node("a", 1, 0))
		leases := []*capacity.Lease{}
		for range 100 {
			leases = append(leases, a.Restore("a", cores(1<<62)))
		}
		refused(t, a, nil)
		for _, l := range leases {
			l.Release()
		}
		require.Equal(t, cores(1), free(t, a, "a"))
	})
}

func TestResourcesComeAndGo(t *testing.T) {
	t.Parallel()
	a := capacity.New(node("a", 4, 0))
	r := prepare(t, a, capacity.Resources{"cores": 1, "licences": 1})
	_, err := r.TryAllocate()
	require.Error(t, err)
	l := allocate(t, a, nil)
	a.SetNode(capacity.Node{Name: "b", Total: capacity.Resources{"licences": 1, "cores": 1}})
	got, err := r.TryAllocate()
	require.NoError(t, err)
	require.Equal(t, "b", got.Node())
	l.Release()
	require.Equal(t, cores(4), free(t, a, "a"))
	a.Remove("b")
	_, err = r.TryAllocate()
	require.Error(t, err)
	got.Release()
}
