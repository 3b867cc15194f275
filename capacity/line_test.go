package capacity_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
)

// waiting starts Allocate and returns a channel that gets its lease, or is
// closed on an error, after the goroutine has come to rest in line.
func waiting(
	ctx context.Context, a *capacity.Allocator, req capacity.Resources,
) <-chan *capacity.Lease {
	granted := make(chan *capacity.Lease, 1)
	go func() {
		defer close(granted)
		if l, err := a.Allocate(ctx, req); err == nil {
			granted <- l
		}
	}()
	synctest.Wait()
	return granted
}

// arrived returns the lease if it has been granted, else nil.
func arrived(granted <-chan *capacity.Lease) *capacity.Lease {
	synctest.Wait()
	select {
	case l := <-granted:
		return l
	default:
		return nil
	}
}

func TestC3FirstComeFirstServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := capacity.New(node("a", 1, 0))
		held := allocate(t, a, nil)
		var line []<-chan *capacity.Lease
		for range 20 {
			line = append(line, waiting(t.Context(), a, nil))
		}
		for i := range line {
			require.Nil(t, arrived(line[i]))
			held.Release()
			held = arrived(line[i])
			require.NotNil(t, held, "place %d", i)
		}
		held.Release()
		require.Equal(t, cores(1), free(t, a, "a"))
	})
}

func TestC3WhoFitsOvertakesBeforeTheBound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := capacity.New(node("a", 4, 0))
		first, second := allocate(t, a, cores(3)), allocate(t, a, cores(1))
		big := waiting(t.Context(), a, cores(4))
		small := waiting(t.Context(), a, cores(3))
		first.Release()
		l := arrived(small)
		require.NotNil(t, l, "the small one is not held up for nothing")
		require.Nil(t, arrived(big))
		l.Release()
		require.Nil(t, arrived(big))
		second.Release()
		require.NotNil(t, arrived(big))
	})
}

// overtake places n small requests past whoever waits.
func overtake(t *testing.T, a *capacity.Allocator, n int) {
	t.Helper()
	for range n {
		allocate(t, a, cores(1)).Release()
	}
}

func TestC3NodeIsReservedAtTheBound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := capacity.New(node("a", 4, 100), node("b", 2, 100))
		one := allocate(t, a, cores(1))
		require.Equal(t, "a", one.Node())
		big := waiting(t.Context(), a, cores(4))
		overtake(t, a, capacity.MaxOvertaken-1)
		require.Nil(t, a.Nodes()[0].Reserved)
		overtake(t, a, 1)
		require.Equal(t, cores(4), a.Nodes()[0].Reserved)

		// Nothing but the other node takes cores now, and the refusal says why.
		b := []*capacity.Lease{allocate(t, a, cores(1)), allocate(t, a, cores(1))}
		require.Equal(t, "b", b[0].Node())
		require.Equal(t, "b", b[1].Node())
		r := refused(t, a, cores(1))
		require.True(t, r.Held, r.Error())
		require.Equal(t, "a", r.Node)
		// What the big one does not need is not kept from anyone.
		allocate(t, a, capacity.Resources{"memoryMB": 100})

		one.Release()
		l := arrived(big)
		require.NotNil(t, l)
		require.Nil(t, a.Nodes()[0].Reserved)
		l.Release()
		overtake(t, a, 1)
	})
}

func TestC3WhatLeavesEnoughMayShareTheReservedNode(t *testing.T) {
	t.Parallel()
	a := capacity.New(capacity.Node{Name: "a", Total: capacity.Resources{"cores": 8, "gpus": 1}})
	gpu := allocate(t, a, capacity.Resources{"gpus": 1})
	r, err := a.Prepare(capacity.Resources{"cores": 2, "gpus": 1})
	require.NoError(t, err)
	_, err = r.TryAllocate()
	require.Error(t, err)
	overtake(t, a, capacity.MaxOvertaken)
	require.NotNil(t, a.Nodes()[0].Reserved)

	allocate(t, a, cores(6))
	require.True(t, refused(t, a, cores(1)).Held)
	gpu.Release()
	_, err = r.TryAllocate()
	require.NoError(t, err)
}

// A lease that never ends must not starve who waits on its node: when it has
// been overtaken again, another node is reserved as well.
func TestC3MoreNodesAreReservedWhenOneDoesNotHelp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := capacity.New(node("a", 8, 0), node("b", 8, 0), node("c", 2, 0))
		a.Restore("a", cores(1)) // for ever
		b := a.Restore("b", cores(7))
		big := waiting(t.Context(), a, cores(8))
		overtake(t, a, capacity.MaxOvertaken)
		require.Equal(t, cores(8), a.Nodes()[0].Reserved, "a lacks the least")
		require.Nil(t, a.Nodes()[1].Reserved)
		overtake(t, a, capacity.MaxOvertaken)
		require.Equal(t, cores(8), a.Nodes()[1].Reserved)
		overtake(t, a, 5*capacity.MaxOvertaken) // c is never reserved: too small

		b.Release()
		require.Equal(t, "b", arrived(big).Node())
		for _, n := range a.Nodes() {
			require.Nil(t, n.Reserved)
		}
	})
}

func TestC3OneReservationAfterTheOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := capacity.New(node("a", 4, 0))
		held := allocate(t, a, cores(2))
		first := waiting(t.Context(), a, cores(4))
		second := waiting(t.Context(), a, cores(3))
		overtake(t, a, 2*capacity.MaxOvertaken-capacity.MaxOvertaken)
		require.Equal(t, cores(4), a.Nodes()[0].Reserved, "the first in line")
		held.Release()
		l := arrived(first)
		require.NotNil(t, l)
		require.Equal(t, cores(3), a.Nodes()[0].Reserved, "then the next, at once")
		l.Release()
		require.NotNil(t, arrived(second))
		require.Nil(t, a.Nodes()[0].Reserved)
	})
}

// Two who ask for the same have different nodes reserved. Whichever gets free,
// one of them gets it.
func TestC3EqualsWithNodesOfTheirOwn(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "b"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := capacity.New(node("a", 4, 0), node("b", 4, 0))
				running := map[string]*capacity.Lease{
					"a": a.Restore("a", cores(1)), "b": a.Restore("b", cores(1)),
				}
				first := waiting(t.Context(), a, cores(4))
				second := waiting(t.Context(), a, cores(4))
				overtake(t, a, capacity.MaxOvertaken)
				require.Equal(t, cores(4), a.Nodes()[0].Reserved)
				require.Equal(t, cores(4), a.Nodes()[1].Reserved)
				running[name].Release()
				require.NotEqual(t, arrived(first) == nil, arrived(second) == nil)
				require.Zero(t, free(t, a, name)["cores"])
			})
		})
	}
}

// That nothing more can be reserved for one does not mean that nothing can for
// another who asks for the same.
func TestC3EqualsOnOneNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := capacity.New(node("a", 8, 0))
		all := a.Restore("a", cores(8))
		pass := func() {
			for range capacity.MaxOvertaken {
				allocate(t, a, cores(0)).Release()
			}
		}
		first := waiting(t.Context(), a, cores(4))
		pass()
		second := waiting(t.Context(), a, cores(4))
		third := waiting(t.Context(), a, cores(4))
		require.Equal(t, cores(4), a.Nodes()[0].Reserved)
		pass()
		require.Equal(t, cores(8), a.Nodes()[0].Reserved)
		pass()
		require.NoError(t, capacity.Audit(a))
		all.Release()
		l := arrived(first)
		require.NotNil(t, l)
		require.NotNil(t, arrived(second))
		require.Nil(t, arrived(third))
		require.Equal(t, cores(4), a.Nodes()[0].Reserved, "for the third, after the first two")
		l.Release()
		require.NotNil(t, arrived(third))
	})
}

func TestC3ReservationEndsWithItsOwner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := capacity.New(node("a", 4, 0))
		allocate(t, a, cores(1))
		ctx, cancel := context.WithCancel(t.Context())
		big := waiting(ctx, a, cores(4))
		overtake(t, a, capacity.MaxOvertaken)
		small := waiting(t.Context(), a, cores(2))
		require.Nil(t, arrived(small))
		cancel()
		require.NotNil(t, arrived(small))
		_, open := <-big
		require.False(t, open)
	})
}

func TestAllocateEndsWithContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := capacity.New(node("a", 1, 0))
		ctx, cancel := context.WithCancelCause(t.Context())
		held := allocate(t, a, nil)
		failed := make(chan error, 1)
		go func() {
			_, err := a.Allocate(ctx, nil)
			failed <- err
		}()
		synctest.Wait()
		why := errors.New("the user pressed stop")
		cancel(why)
		require.ErrorIs(t, <-failed, why)
		held.Release()
		require.Equal(t, cores(1), free(t, a, "a"), "nobody in line took it")

		_, err := a.Allocate(ctx, nil)
		require.ErrorIs(t, err, why, "not even when there is room")
	})
}

func TestAllocateDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	never := func(t *testing.T, err error) {
		t.Helper()
		var r *capacity.RefusedError
		require.ErrorAs(t, err, &r)
		require.True(t, r.Never)
	}
	a := capacity.New(node("a", 1, 0))
	_, err := a.Allocate(t.Context(), cores(2))
	never(t, err)

	changes := map[string]func(*capacity.Allocator){
		"drained": func(a *capacity.Allocator) { a.Drain("b") },
		"removed": func(a *capacity.Allocator) { a.Remove("b") },
		"shrunk":  func(a *capacity.Allocator) { a.SetNode(node("b", 1, 0)) },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := capacity.New(node("a", 1, 0), node("b", 2, 0))
				allocate(t, a, nil)
				allocate(t, a, nil)
				failed := make(chan error, 1)
				go func() {
					_, err := a.Allocate(t.Context(), cores(2))
					failed <- err
				}()
				small := waiting(t.Context(), a, cores(1))
				require.NotNil(t, arrived(small), "it fits beside")
				small = waiting(t.Context(), a, cores(1))
				change(a)
				never(t, <-failed)
				require.Nil(t, arrived(small), "the others wait on")
				a.SetNode(node("c", 1, 0))
				require.NotNil(t, arrived(small))
			})
		})
	}
}

func TestNewRoomIsGivenInOrder(t *testing.T) {
	t.Parallel()
	changes := map[string]func(*capacity.Allocator){
		"node added":     func(a *capacity.Allocator) { a.SetNode(node("new", 2, 0)) },
		"node grown":     func(a *capacity.Allocator) { a.SetNode(node("a", 10, 0)) },
		"node undrained": func(a *capacity.Allocator) { a.Undrain("d") },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := capacity.New(node("a", 8, 0), node("d", 2, 0))
				a.Drain("d")
				allocate(t, a, cores(8))
				var order []string
				done := make(chan string)
				for i := range 3 {
					go func() {
						_, err := a.Allocate(t.Context(), cores(1))
						done <- fmt.Sprint(i, err)
					}()
					synctest.Wait()
				}
				change(a)
				order = append(order, <-done, <-done)
				slices.Sort(order)
				require.Equal(t, []string{"0 <nil>", "1 <nil>"}, order)
				synctest.Wait()
				select {
				case s := <-done:
					require.Fail(t, "there was room for two", s)
				default:
				}
				a.SetNode(node("last", 1, 0))
				require.Equal(t, "2 <nil>", <-done)
			})
		})
	}
}
