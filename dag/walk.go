package dag

import (
	"iter"
	"math/bits"
)

// Order yields all tasks so that each comes after its parents. Of those that
// could come next it is always the one defined first: if definition order is a
// topological order, it is this one.
func (g *Graph) Order() iter.Seq[int] {
	if g.forward {
		return func(yield func(int) bool) {
			for i := range g.Len() {
				if !yield(i) {
					return
				}
			}
		}
	}
	return func(yield func(int) bool) {
		n := g.Len()
		waits, ready := make([]int32, n), newIndexSet(n)
		for i := range n {
			waits[i] = int32(len(g.Parents(i)))
			if waits[i] == 0 {
				ready.add(i)
			}
		}
		for i := ready.take(); i >= 0; i = ready.take() {
			if !yield(i) {
				return
			}
			for _, c := range g.Children(i) {
				if waits[c]--; waits[c] == 0 {
					ready.add(int(c))
				}
			}
		}
	}
}

// Ancestors yields all tasks that task i waits for, directly or not. Parents
// come first, then their parents, and so on; each once.
func (g *Graph) Ancestors(i int) iter.Seq[int] { return g.breadthFirst(i, g.Parents) }

// Descendants yields all tasks that wait for task i, directly or not. Children
// come first, then their children, and so on; each once.
func (g *Graph) Descendants(i int) iter.Seq[int] { return g.breadthFirst(i, g.Children) }

func (g *Graph) breadthFirst(start int, next func(int) []int32) iter.Seq[int] {
	return func(yield func(int) bool) {
		seen := make([]uint64, (g.Len()+63)/64)
		queue := []int32{int32(start)}
		for at := 0; at < len(queue); at++ {
			for _, j := range next(int(queue[at])) {
				if seen[j/64]&(1<<(j%64)) != 0 {
					continue
				}
				seen[j/64] |= 1 << (j % 64)
				queue = append(queue, j)
				if !yield(int(j)) {
					return
				}
			}
		}
	}
}

// An indexSet holds numbers below a bound and gives up the smallest first. Each
// level has a bit for each word of the one below that is not zero, so that both
// operations take as many steps as there are levels: four for ten million.
type indexSet struct{ levels [][]uint64 }

func newIndexSet(n int) *indexSet {
	s := &indexSet{}
	for {
		n = (n + 63) / 64
		s.levels = append(s.levels, make([]uint64, max(1, n)))
		if n <= 1 {
			return s
		}
	}
}

func (s *indexSet) add(i int) {
	for _, level := range s.levels {
		level[i/64] |= 1 << (i % 64)
		i /= 64
	}
}

// take removes and returns the smallest number, or -1 if there is none.
func (s *indexSet) take() int {
	i := 0
	for l := len(s.levels) - 1; l >= 0; l-- {
		word := s.levels[l][i]
		if word == 0 {
			return -1
		}
		i = i*64 + bits.TrailingZeros64(word)
	}
	for at, l := i, 0; l < len(s.levels); l++ {
		s.levels[l][at/64] &^= 1 << (at % 64)
		if s.levels[l][at/64] != 0 {
			break
		}
		at /= 64
	}
	return i
}
