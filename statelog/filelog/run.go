package filelog

import (
	"cmp"
	"slices"

	"github.com/daggy-go/daggy/statelog"
)

// A run is what the log knows of a run without reading it. Guarded by the log's
// mutex, but for what never changes.
type run struct {
	number uint64 // never used twice while anything is left of the first
	info   statelog.RunInfo
	// extents have the records, sorted by the number of the first.
	extents []extent
	sides   []uint64
	// promised is the number of the last record, those of the commit under way
	// included. The committer's.
	promised uint64
	removed  bool
	readers  int
}

// An extent is a part of a segment, from one frame up to another, that has
// records of a run, and maybe of others.
type extent struct {
	seg         *segment
	off, end    int64
	first, last uint64
	size        int64 // of the run's own entries, about
}

// window is how long an extent grows. Who reads a run whose records are few among
// those of others reads about as much for each.
const window = 64 << 10

// extend notes that the frame from off to end has the records first to last.
func (r *run) extend(e extent) {
	if n := len(r.extents); n > 0 {
		last := &r.extents[n-1]
		if last.seg == e.seg && last.last+1 == e.first && e.end-last.off <= window {
			last.end, last.last, last.size = e.end, e.last, last.size+e.size
			return
		}
	}
	r.extents = append(r.extents, e)
}

// arrange sorts the extents, drops those that others cover, which a compaction
// leaves that was interrupted, and returns the first number that is missing, with
// the extent that it should be before, or 0.
func (r *run) arrange() (missing uint64, at extent) {
	slices.SortStableFunc(r.extents, func(a, b extent) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(b.last, a.last))
	})
	var last uint64
	kept := r.extents[:0]
	for _, e := range r.extents {
		if e.first > last+1 {
			return last + 1, e
		}
		if e.last > last {
			kept = append(kept, e)
			last = e.last
		}
	}
	clear(r.extents[len(kept):])
	r.extents = kept
	return 0, extent{}
}

// covering returns a copy of the extents that have records after the given number
// and up to end. Neighbours are one, so that they are read at once.
func (r *run) covering(after, end uint64) []extent {
	var some []extent
	for _, e := range r.extents {
		if e.last <= after || e.first > end {
			continue
		}
		if n := len(some); n > 0 && some[n-1].seg == e.seg && some[n-1].end == e.off &&
			some[n-1].last+1 == e.first {
			some[n-1].end, some[n-1].last = e.end, e.last
			continue
		}
		some = append(some, e)
	}
	return some
}
