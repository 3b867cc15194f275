package capacity_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
)

func TestNotify(t *testing.T) {
	t.Parallel()
	a := capacity.New(node("a", 2, 0))
	calls := 0
	stop := a.Notify(func() {
		calls++
		a.Nodes() // no lock is held
	})
	called := func(what string, want bool, f func()) {
		t.Helper()
		calls = 0
		f()
		require.Equal(t, want, calls > 0, what)
	}
	var l *capacity.Lease
	called("taking frees nothing", false, func() { l = allocate(t, a, cores(2)) })
	called("nor does asking", false, func() { refused(t, a, nil) })
	called("release", true, func() { l.Release() })
	called("second release", false, func() { l.Release() })
	called("node added", true, func() { a.SetNode(node("b", 1, 0)) })
	called("drained", true, func() { a.Drain("b") })
	called("undrained", true, func() { a.Undrain("b") })
	called("removed", true, func() { a.Remove("b") })
	called("nothing removed", false, func() { a.Remove("b") })
	other := 0
	stopOther := a.Notify(func() { other++ })
	called("another listens", true, func() { allocate(t, a, nil).Release() })
	require.Positive(t, other)
	stop()
	stop()
	other = 0
	called("stopped", false, func() { allocate(t, a, nil).Release() })
	require.Positive(t, other)
	stopOther()
}

func TestNotifyWhenAReservationEnds(t *testing.T) {
	t.Parallel()
	full := func(t *testing.T) (*capacity.Allocator, *capacity.Request, *int) {
		t.Helper()
		a := capacity.New(node("a", 4, 0), node("b", 1, 0))
		a.Restore("a", cores(1))
		big := prepare(t, a, cores(4))
		_, _ = ask1(t, big)
		overtake(t, a, capacity.MaxOvertaken)
		allocate(t, a, nil)
		require.True(t, refused(t, a, nil).Held)
		calls := new(int)
		a.Notify(func() { *calls++ })
		return a, big, calls
	}
	t.Run("it leaves", func(t *testing.T) {
		t.Parallel()
		a, big, calls := full(t)
		big.Leave()
		require.Positive(t, *calls)
		allocate(t, a, nil)
	})
	t.Run("it is granted elsewhere", func(t *testing.T) {
		t.Parallel()
		a, big, calls := full(t)
		a.SetNode(node("c", 4, 0))
		*calls = 0
		l, _ := ask1(t, big)
		require.Equal(t, "c", l.Node())
		require.Positive(t, *calls)
		require.Equal(t, "a", allocate(t, a, nil).Node())
	})
	t.Run("its ctx ends", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			a := capacity.New(node("a", 4, 0))
			a.Restore("a", cores(1))
			ctx, cancel := context.WithCancel(t.Context())
			big := waiting(ctx, a, cores(4))
			overtake(t, a, capacity.MaxOvertaken)
			calls := 0
			a.Notify(func() { calls++ })
			cancel()
			require.Nil(t, arrived(big))
			require.Positive(t, calls)
		})
	})
}
