package filelog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/daggy-go/daggy/statelog"
)

// moveSize is about how large an entry grows that is made of others.
const moveSize = 256 << 10

// compact gives back the space of segments of which half is of no use. What is
// used is copied, which takes no longer than it took to write what is not.
func (l *Log) compact(ctx context.Context) error {
	if l.wasteful(l.last()) {
		// The segment that is written to is left alone, so it is made another.
		if err := l.rotate(); err != nil {
			return fmt.Errorf("filelog: compact: %w", err)
		}
	}
	for _, s := range l.candidates() {
		if ctx.Err() != nil {
			return fmt.Errorf("filelog: compact: %w", context.Cause(ctx))
		}
		if err := l.empty(s); err != nil {
			return fmt.Errorf("filelog: compact %s: %w", s.name(), err)
		}
	}
	return nil
}

func (l *Log) last() *segment {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.segments) == 0 {
		return nil
	}
	return l.segments[len(l.segments)-1]
}

// wasteful reports whether it is worth it to begin a new segment for the sake of
// this one.
func (l *Log) wasteful(s *segment) bool {
	if s == nil {
		return false
	}
	used := l.used()
	l.mu.Lock()
	defer l.mu.Unlock()
	return s.end >= l.segmentSize/16 && used[s] < s.end/2
}

func (l *Log) rotate() error {
	return errors.Join(l.commitAll([]*batch{{wake: make(chan signal, 1)}})...)
}

// used returns how many bytes of the segments belong to runs that are there.
func (l *Log) used() map[*segment]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	used := map[*segment]int64{}
	for _, r := range l.runs {
		for _, e := range r.extents {
			used[e.seg] += e.size
		}
	}
	return used
}

// candidates returns the segments to empty.
func (l *Log) candidates() []*segment {
	used := l.used()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.void {
		return nil // what is void is so only because the one after it says so
	}
	var some []*segment
	for i, s := range l.segments {
		if i == len(l.segments)-1 || used[s] >= s.end/2 {
			continue
		}
		// What is beyond the end of a segment that was given up does not count
		// only because the next one says so.
		if i > 0 && l.segments[i-1].poisoned {
			continue
		}
		some = append(some, s)
	}
	return some
}

// empty moves what is used in a segment to the end of the log and removes it.
func (l *Log) empty(s *segment) error {
	for _, r := range l.living(s) {
		moves, err := l.moves(r, s)
		if err != nil {
			return err
		}
		if err := errors.Join(l.commitAll(moves)...); err != nil {
			return err
		}
		l.moved(r, s, moves)
	}
	if err := errors.Join(l.commitAll(l.epitaphs(s))...); err != nil {
		return err
	}
	l.retire(s)
	l.sweep()
	return nil
}

// living returns the runs that have records in the segment.
func (l *Log) living(s *segment) []*run {
	l.mu.Lock()
	defer l.mu.Unlock()
	var some []*run
	for _, r := range l.runs {
		if slices.ContainsFunc(r.extents, func(e extent) bool { return e.seg == s }) {
			some = append(some, r)
		}
	}
	slices.SortFunc(some, func(a, b *run) int { return int(a.number) - int(b.number) })
	return some
}

// moves returns what writes the run's records in the segment anew.
func (l *Log) moves(r *run, s *segment) ([]*batch, error) {
	l.mu.Lock()
	extents := slices.Clone(r.extents)
	l.mu.Unlock()
	var moves []*batch
	var fs frames
	for _, x := range extents {
		if x.seg != s {
			continue
		}
		var last uint64
		fs.part(s.file, s.salt, x.off, x.end)
		for {
			off := fs.off
			body, err := fs.body()
			if errors.Is(err, io.EOF) {
				break
			}
			if isDamage(err) {
				err = &statelog.CorruptError{Path: l.path(s.name()), Offset: off, Err: err}
			}
			if err != nil {
				return nil, err
			}
			moves, last = gather(moves, body, r, &x, last)
		}
	}
	return moves, nil
}

// gather adds the run's entries of a frame of an extent, those up to last aside,
// and returns the number of the last record.
func gather(
	moves []*batch, body []byte, r *run, x *extent, last uint64,
) ([]*batch, uint64) {
	c := cursor{b: body}
	var e entry
	for c.next(&e) {
		if e.kind != entryRecords || e.run != r.number ||
			e.first < x.first || e.last() > x.last || e.first <= last {
			continue
		}
		last = e.last()
		if n := len(moves); n > 0 && moves[n-1].join(&e) {
			continue
		}
		b := &batch{kind: entryRecords, run: r, moves: true, wake: make(chan signal, 1)}
		b.entry = entry{kind: entryRecords, run: r.number, first: e.first}
		b.join(&e)
		moves = append(moves, b)
	}
	return moves, last
}

// join adds the records of e if they are the next ones and it does not get too
// large.
func (b *batch) join(e *entry) bool {
	own := &b.entry
	if own.first+own.count != e.first {
		return false
	}
	if own.count > 0 && len(own.payload)+len(e.payload) > moveSize {
		return false
	}
	c := cursor{b: e.turns}
	for len(c.b) > 0 {
		place := c.uvarint()
		own.turns = binary.AppendUvarint(own.turns, own.count+place)
		own.turns = appendText(own.turns, c.bytes())
	}
	own.flags |= e.flags
	own.count += e.count
	own.payload = append(own.payload, e.payload...)
	return true
}

// moved notes that the run's records in the segment are elsewhere, too.
func (l *Log) moved(r *run, s *segment, moves []*batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := make([]extent, 0, len(r.extents)+len(moves))
	for _, e := range r.extents {
		if e.seg != s {
			kept = append(kept, e)
		}
	}
	for _, b := range moves {
		kept = append(kept, b.extent(b.at))
	}
	r.extents = kept
	r.arrange()
}

// epitaphs returns what says again of removed runs that they are, if the segment
// says so and there are records of them elsewhere.
func (l *Log) epitaphs(s *segment) []*batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	var some []*batch
	for number, d := range l.dead {
		if d.at == s && (len(d.segments) > 1 || !d.segments[s]) {
			some = append(some, &batch{
				kind: entryRemoved, entry: entry{run: number}, wake: make(chan signal, 1),
			})
		}
	}
	slices.SortFunc(some, func(a, b *batch) int { return int(a.entry.run) - int(b.entry.run) })
	return some
}

// retire drops a segment that has nothing of use.
func (l *Log) retire(s *segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.segments = slices.DeleteFunc(l.segments, func(other *segment) bool { return other == s })
	s.retired = true
	l.discardSegment(s)
}
