package dag

import (
	"slices"
	"strings"
)

// An arena makes the many small strings and lists of a definition out of a few
// large allocations. Each chunk lives as long as anything in it.
type arena struct {
	chunk strings.Builder
	lists []string // what is free of the chunk for lists
	size  int      // of the next chunk of lists
}

const (
	firstChunk = 1 << 9
	lastChunk  = 1 << 16
	// What is longer has an allocation of its own.
	longString, longList = 1 << 10, 1 << 6
)

// string returns a copy of b.
func (a *arena) string(b []byte) string {
	switch {
	case len(b) == 0:
		return ""
	case len(b) > longString:
		return string(b)
	case a.chunk.Cap()-a.chunk.Len() < len(b):
		size := min(lastChunk, max(firstChunk, 2*a.chunk.Cap()))
		a.chunk.Reset()
		a.chunk.Grow(max(size, len(b)))
	}
	start := a.chunk.Len()
	a.chunk.Write(b)
	// A Builder only appends, so that what it gave out stays as it is.
	return a.chunk.String()[start:]
}

// list returns a copy of list, nil if it is empty.
func (a *arena) list(list []string) []string {
	n := len(list)
	switch {
	case n == 0:
		return nil
	case n > longList:
		return slices.Clone(list)
	case n > len(a.lists):
		a.size = min(1<<10, max(2*a.size, longList))
		a.lists = make([]string, a.size)
	}
	// Without capacity to spare an append by the user cannot run into the next.
	own := a.lists[:n:n]
	a.lists = a.lists[n:]
	copy(own, list)
	return own
}
