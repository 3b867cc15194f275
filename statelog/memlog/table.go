package memlog

import "math/bits"

// Chunks double from the first size up to the last, so that small runs are
// small and large ones are not copied to grow.
const (
	firstBits = 5
	lastBits  = 12

	// doubling is how many elements are in chunks smaller than the last size.
	doubling = 1<<lastBits - 1<<firstBits
)

// A table is a list that only grows. Its elements never move, so a copy of the
// table goes on to show what it had while the original grows.
type table[T any] struct {
	chunks [][]T
	free   []T // of the last chunk
	n      int
}

// add returns the place of a new element, which is zero.
func (t *table[T]) add() *T {
	if len(t.free) == 0 {
		t.free = make([]T, 1<<min(firstBits+len(t.chunks), lastBits))
		t.chunks = append(t.chunks, t.free)
	}
	added := &t.free[0]
	t.free = t.free[1:]
	t.n++
	return added
}

// at returns the i-th element.
func (t *table[T]) at(i int) *T {
	chunk, offset := place(i)
	return &t.chunks[chunk][offset]
}

func place(i int) (chunk, offset int) {
	if i >= doubling {
		i -= doubling
		return lastBits - firstBits + i>>lastBits, i & (1<<lastBits - 1)
	}
	i += 1 << firstBits
	top := bits.Len(uint(i)) - 1
	return top - firstBits, i - 1<<top
}
