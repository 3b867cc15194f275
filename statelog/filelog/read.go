package filelog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/daggy-go/daggy/statelog"
)

// Read yields the run's records after the given number. Damage is a
// [*statelog.CorruptError].
func (l *Log) Read(
	ctx context.Context, id string, after uint64,
) iter.Seq2[statelog.Record, error] {
	l.mu.Lock()
	r, closed := l.runs[id], l.closed
	var end uint64
	if r != nil {
		end = r.info.Seq
	}
	l.mu.Unlock()
	return func(yield func(statelog.Record, error) bool) {
		var err error
		switch {
		case closed:
			err = ErrClosed
		case r == nil:
			err = statelog.ErrNoRun
		default:
			err = l.read(ctx, r, after, end, yield)
		}
		if err != nil && !errors.Is(err, errEnough) {
			yield(statelog.Record{}, fmt.Errorf("filelog: read run %q: %w", id, err))
		}
	}
}

// errEnough: the loop ended early.
var errEnough = errors.New("enough was read")

func (l *Log) read(
	ctx context.Context, r *run, after, end uint64, yield func(statelog.Record, error) bool,
) error {
	if after >= end {
		return nil
	}
	extents, err := l.hold(r, after, end)
	if err != nil {
		return err
	}
	defer l.letGo(r, extents)
	rd := reading{Log: l, ctx: ctx, run: r, last: after, end: end, yield: yield}
	for i := range extents {
		if err := rd.extent(&extents[i]); err != nil {
			return err
		}
	}
	if rd.last < end {
		return fmt.Errorf("the records end at %d, not at %d", rd.last, end)
	}
	return nil
}

// hold keeps the files that have the records from going away.
func (l *Log) hold(r *run, after, end uint64) ([]extent, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, ErrClosed
	case r.removed:
		return nil, statelog.ErrNoRun
	}
	r.readers++
	extents := r.covering(after, end)
	for _, e := range extents {
		e.seg.readers++
	}
	return extents, nil
}

func (l *Log) letGo(r *run, extents []extent) {
	l.mu.Lock()
	r.readers--
	l.discardRun(r)
	for _, e := range extents {
		e.seg.readers--
		l.discardSegment(e.seg)
	}
	l.mu.Unlock()
	l.sweep()
}

// A reading is a Read under way.
type reading struct {
	*Log
	ctx   context.Context //nolint:containedctx // it lives as long as the call
	run   *run
	last  uint64 // that was yielded
	end   uint64
	yield func(statelog.Record, error) bool

	frames  frames
	decoder statelog.Decoder
}

func (rd *reading) extent(e *extent) error {
	rd.frames.part(e.seg.file, e.seg.salt, e.off, e.end)
	for {
		if rd.ctx.Err() != nil {
			return context.Cause(rd.ctx)
		}
		off := rd.frames.off
		body, err := rd.frames.body()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = rd.frame(body, min(e.last, rd.end))
		}
		switch {
		case err == nil:
		case isDamage(err):
			return &statelog.CorruptError{
				Path: rd.path(e.seg.name()), Offset: off, Seq: rd.last + 1, Err: err,
			}
		default:
			return err
		}
	}
}

// frame yields the records up to most. A frame may have others of the run, which
// belong to another extent: of a commit that moved some and added some.
func (rd *reading) frame(body []byte, most uint64) error {
	c := cursor{b: body}
	var e entry
	for c.next(&e) {
		if e.kind != entryRecords || e.run != rd.run.number ||
			e.last() <= rd.last || e.first > most {
			continue
		}
		if e.first > rd.last+1 {
			return fmt.Errorf("%w: record %d follows %d", errSequence, e.first, rd.last)
		}
		if err := rd.records(&e); err != nil {
			return err
		}
	}
	if c.bad {
		return errEntry
	}
	return nil
}

func (rd *reading) records(e *entry) error {
	c := cursor{b: e.payload}
	for seq := e.first; seq <= e.last() && seq <= rd.end; seq++ {
		data := c.bytes()
		var from side
		if len(data) == 0 {
			from = c.side()
		}
		if c.bad {
			return errEntry
		}
		if seq <= rd.last {
			continue
		}
		if len(data) == 0 {
			var err error
			if data, err = rd.readSide(from, seq); err != nil {
				return err
			}
		}
		rec, err := rd.decoder.Decode(data)
		if err != nil {
			return fmt.Errorf("%w: %w", errEntry, err)
		}
		rec.Seq, rd.last = seq, seq
		if !rd.yield(*rec, nil) {
			return errEnough
		}
	}
	return nil
}

// Runs yields the runs that match q as they were at the call, the one that was
// opened last first, and by name those that were opened at once. It reads
// nothing: the log has them in memory.
func (l *Log) Runs(ctx context.Context, q statelog.Query) iter.Seq2[statelog.RunInfo, error] {
	l.mu.Lock()
	closed := l.closed
	var found []statelog.RunInfo
	for _, r := range l.runs {
		if q.Match(r.info) {
			found = append(found, r.info)
		}
	}
	l.mu.Unlock()
	slices.SortFunc(found, func(a, b statelog.RunInfo) int {
		return cmp.Or(b.Opened.Compare(a.Opened), cmp.Compare(a.Run, b.Run))
	})
	if q.Limit > 0 && len(found) > q.Limit {
		found = found[:q.Limit]
	}
	return func(yield func(statelog.RunInfo, error) bool) {
		if closed {
			yield(statelog.RunInfo{}, ErrClosed)
			return
		}
		for _, info := range found {
			if ctx.Err() != nil {
				yield(statelog.RunInfo{}, fmt.Errorf("filelog: list runs: %w", context.Cause(ctx)))
				return
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}
