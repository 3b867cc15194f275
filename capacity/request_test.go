package capacity_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
)

func prepare(t *testing.T, a *capacity.Allocator, req capacity.Resources) *capacity.Request {
	t.Helper()
	r, err := a.Prepare(req)
	require.NoError(t, err)
	return r
}

// ask1 returns the lease or nil, and whether the refusal is for what is held.
func ask1(t *testing.T, r *capacity.Request) (l *capacity.Lease, held bool) {
	t.Helper()
	l, err := r.TryAllocate()
	if err == nil {
		return l, false
	}
	var refusal *capacity.RefusedError
	require.ErrorAs(t, err, &refusal)
	return nil, refusal.Held
}

// R7, across runs: two runs share an Allocator, and one has a big job.
func TestC3RequestThatAsksAgain(t *testing.T) {
	t.Parallel()
	a := capacity.New(node("a", 4, 0))
	blocker := allocate(t, a, cores(2))
	big, small := prepare(t, a, cores(3)), prepare(t, a, cores(1))
	l, _ := ask1(t, big)
	require.Nil(t, l)
	for i := range capacity.MaxOvertaken {
		l, held := ask1(t, small)
		require.NotNil(t, l, "overtaking is free at first: %d %v", i, held)
		l.Release()
		l, _ = ask1(t, big)
		require.Nil(t, l)
	}
	l, held := ask1(t, small)
	require.Nil(t, l)
	require.True(t, held)

	blocker.Release()
	l, _ = ask1(t, small)
	require.NotNil(t, l, "one core is more than the big one needs")
	l, held = ask1(t, prepare(t, a, cores(1)))
	require.Nil(t, l)
	require.True(t, held, "what is free stays reserved until it asks")
	l, _ = ask1(t, big)
	require.NotNil(t, l)
	require.Nil(t, a.Nodes()[0].Reserved)
}

func TestRequestStartsAgainAtTheEndOfTheLine(t *testing.T) {
	t.Parallel()
	a := capacity.New(node("a", 4, 0))
	held := allocate(t, a, cores(1))
	big := prepare(t, a, cores(4))
	l, _ := ask1(t, big)
	require.Nil(t, l)
	overtake(t, a, capacity.MaxOvertaken)
	require.NotNil(t, a.Nodes()[0].Reserved)

	big.Leave()
	big.Leave() // idempotent
	require.Nil(t, a.Nodes()[0].Reserved)
	l, _ = ask1(t, big)
	require.Nil(t, l)
	overtake(t, a, capacity.MaxOvertaken-1)
	require.Nil(t, a.Nodes()[0].Reserved, "counted from the start")
	overtake(t, a, 1)
	require.NotNil(t, a.Nodes()[0].Reserved)

	held.Release()
	l, _ = ask1(t, big)
	require.NotNil(t, l)
	l2, _ := ask1(t, big)
	require.Nil(t, l2)
	overtakeNothing := refused(t, a, cores(1))
	require.False(t, overtakeNothing.Held, "a new place has nothing reserved")
	l.Release()
	big.Leave()
	require.Equal(t, cores(4), free(t, a, "a"))
}

func TestRequestForgetsWhoOvertookItBefore(t *testing.T) {
	t.Parallel()
	a := capacity.New(node("a", 4, 0))
	held := allocate(t, a, cores(1))
	big, small := prepare(t, a, cores(4)), prepare(t, a, cores(3))
	l, _ := ask1(t, big)
	require.Nil(t, l)
	for range 10 { // overtaken in line
		fill := allocate(t, a, cores(1))
		l, _ = ask1(t, small)
		require.Nil(t, l)
		fill.Release()
		l, _ = ask1(t, small)
		require.NotNil(t, l)
		l.Release()
	}
	held.Release()
	l, _ = ask1(t, big)
	require.NotNil(t, l)
	l2, _ := ask1(t, big)
	require.Nil(t, l2)
	l.Release()
	allocate(t, a, cores(1))
	overtake(t, a, capacity.MaxOvertaken-2)
	require.Nil(t, a.Nodes()[0].Reserved)
	overtake(t, a, 1)
	require.NotNil(t, a.Nodes()[0].Reserved)
}

// What is reserved for later ones is not kept from earlier ones.
func TestC3RequestsAreServedInOrder(t *testing.T) {
	t.Parallel()
	a := capacity.New(node("a", 8, 0))
	all := a.Restore("a", cores(8))
	var line [3]*capacity.Request
	for i := range line {
		line[i] = prepare(t, a, cores(4))
		l, _ := ask1(t, line[i])
		require.Nil(t, l)
	}
	for range capacity.MaxOvertaken {
		allocate(t, a, cores(0)).Release()
	}
	all.Release()
	l, _ := ask1(t, line[2])
	require.Nil(t, l, "others are before it")
	first, _ := ask1(t, line[0])
	require.NotNil(t, first)
	second, _ := ask1(t, line[1])
	require.NotNil(t, second)
	require.Equal(t, cores(4), a.Nodes()[0].Reserved)
	l, held := ask1(t, line[2])
	require.Nil(t, l)
	require.False(t, held)
	first.Release()
	l, _ = ask1(t, line[2])
	require.NotNil(t, l)
}

func TestRequestThatHasNoPlaceReservesNothing(t *testing.T) {
	t.Parallel()
	a := capacity.New(node("a", 4, 0))
	allocate(t, a, cores(1))
	refused(t, a, cores(4)) // leaves no trace
	prepare(t, a, cores(4)) // has not asked
	never := prepare(t, a, cores(5))
	_, err := never.TryAllocate() // never fits
	require.Error(t, err)
	overtake(t, a, 10*capacity.MaxOvertaken)
	require.Nil(t, a.Nodes()[0].Reserved)
}

func TestRequestThatBecomesImpossibleLeavesTheLine(t *testing.T) {
	t.Parallel()
	a := capacity.New(node("a", 4, 0), node("b", 8, 0))
	a.Restore("b", cores(1))
	big := prepare(t, a, cores(8))
	_, _ = ask1(t, big)
	overtake(t, a, capacity.MaxOvertaken)
	require.Equal(t, cores(8), a.Nodes()[1].Reserved)
	a.SetNode(node("b", 7, 0))
	require.Nil(t, a.Nodes()[1].Reserved)
	_, err := big.TryAllocate()
	var r *capacity.RefusedError
	require.ErrorAs(t, err, &r)
	require.True(t, r.Never)
	a.SetNode(node("b", 8, 0))
	overtake(t, a, 2*capacity.MaxOvertaken)
	require.Nil(t, a.Nodes()[1].Reserved, "it has left, and not asked again")
}

// A request in line is not woken, so one that waits must not be held up by one
// that does not ask any more, except for what is reserved.
func TestAllocateIsServedBesideRequestsInLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := capacity.New(node("a", 2, 0))
		held := allocate(t, a, cores(2))
		idle := prepare(t, a, cores(1))
		_, _ = ask1(t, idle)
		waiter := waiting(t.Context(), a, cores(2))
		held.Release()
		require.NotNil(t, arrived(waiter))
	})
}

// Who finds room elsewhere leaves what was reserved to those in line.
func TestGrantElsewhereGivesUpTheReservation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := capacity.New(capacity.Node{Name: "a", Total: capacity.Resources{"cores": 4, "x": 1}})
		a.Restore("a", cores(1))
		big := prepare(t, a, cores(4))
		_, _ = ask1(t, big)
		overtake(t, a, capacity.MaxOvertaken)
		small := waiting(t.Context(), a, capacity.Resources{"cores": 3, "x": 1})
		a.SetNode(node("b", 4, 0)) // has no x
		require.Nil(t, arrived(small), "three cores are free on a, but reserved")
		l, _ := ask1(t, big)
		require.Equal(t, "b", l.Node())
		require.Equal(t, "a", arrived(small).Node())
	})
}
