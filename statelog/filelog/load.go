package filelog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/daggy-go/daggy/statelog"
)

// Found says what Open found in the directory that is not in order and does no
// harm.
type Found struct {
	// Torn is a last commit that was not written whole, because the engine or the
	// machine went down, and was never acknowledged. It was cut off. Nil: there
	// was none.
	Torn *Torn
	// Foreign has the names of what no log has made, in order. It was left alone.
	Foreign []string
}

// Torn says what was cut off.
type Torn struct {
	// Path of the segment, and where the commit began.
	Path   string
	Offset int64
	// Bytes that were cut off, and the path of the file in which they are kept.
	Bytes int64
	Kept  string
}

// Found returns what Open found.
func (l *Log) Found() Found { return l.found }

// load reads the directory.
func (l *Log) load(ctx context.Context) error {
	names, err := l.fs.List()
	if err != nil {
		return err
	}
	files := l.sort(names)
	if err := l.openSegments(files.segments); err != nil {
		return err
	}
	ld := &loading{Log: l, runs: map[uint64]*loaded{}, removed: map[uint64]*segment{}}
	for i, s := range l.segments {
		if err := ld.scan(ctx, s, i == len(l.segments)-1); err != nil {
			return err
		}
	}
	if err := ld.finish(); err != nil {
		return err
	}
	return ld.tidy(files)
}

// directoryFiles are the files of a log, by what they are.
type directoryFiles struct {
	segments, sides []uint64
	temporary       []string
}

// sort tells the files apart by their names.
func (l *Log) sort(names []named) directoryFiles {
	var files directoryFiles
	for _, n := range names {
		base, suffix, _ := strings.Cut(n.name, ".")
		number, err := strconv.ParseUint(base, 10, 64)
		ours := err == nil && number > 0 && n.size >= 0
		switch {
		case n.name == lockName:
		case ours && n.name == segmentName(number):
			files.segments = append(files.segments, number)
		case ours && n.name == sideName(number):
			files.sides = append(files.sides, number)
		case ours && n.name == segmentName(number)+".tmp":
			files.temporary = append(files.temporary, n.name)
		case ours && strings.HasPrefix(suffix, "seg.") && strings.HasSuffix(suffix, ".torn"):
		default:
			l.found.Foreign = append(l.found.Foreign, n.name)
			l.logger.Warn("a file in the directory of the log is none of its own",
				slog.String("path", l.path(n.name)))
		}
	}
	return files
}

// openSegments opens those that count. A segment says which one was before it:
// those between the two came to nothing.
func (l *Log) openSegments(numbers []uint64) error {
	slices.Sort(numbers)
	most := uint64(math.MaxUint64) // that the one before the last one may have
	for _, number := range slices.Backward(numbers) {
		l.lastNumber = max(l.lastNumber, number)
		if number > most {
			if err := l.fs.Remove(segmentName(number)); err != nil {
				return err
			}
			continue
		}
		s, err := l.openSegment(number)
		if err != nil {
			return err
		}
		l.segments = append(l.segments, s)
		most = s.prev
	}
	slices.Reverse(l.segments)
	return nil
}

func (l *Log) openSegment(number uint64) (*segment, error) {
	name := segmentName(number)
	f, err := l.fs.Open(name)
	if err != nil {
		return nil, err
	}
	s := &segment{file: f, known: map[uint64]bool{}}
	head := make([]byte, segmentHead)
	n, err := f.ReadAt(head, 0)
	if err == nil || errors.Is(err, io.EOF) {
		s.header, err = parseHeader(l.path(name), head[:n])
	}
	if err == nil && s.number != number {
		err = &statelog.CorruptError{
			Path: l.path(name), Offset: 16, Err: fmt.Errorf("it is segment %d", s.number),
		}
	}
	if err == nil {
		s.size, err = f.Size()
		s.end = s.size
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// loading is what is known while segments are read.
type loading struct {
	*Log
	runs    map[uint64]*loaded
	removed map[uint64]*segment
	// last is the segment that was read last, and next the number of the commit
	// after its last one.
	last  *segment
	next  uint64
	sides map[uint64]bool // that are referred to
}

// loaded is a run whose records are being found.
type loaded struct {
	run
	turns map[uint64]*statelog.Record
}

// scan reads a segment. last: it is the last one, whose end may be torn.
func (ld *loading) scan(ctx context.Context, s *segment, last bool) error {
	size := s.end
	next := ld.after(s)
	if next != nil {
		// What is beyond was given up, and never acknowledged.
		if size < int64(next.prevEnd) {
			return ld.damage(s, size, errCut)
		}
		size = int64(next.prevEnd)
	}
	if ld.last != nil && s.prev == ld.last.number && s.first != ld.next {
		return ld.damage(s, segmentHead, errSequence)
	}
	fs := frames{
		file: s.file, salt: s.salt, off: segmentHead, end: size, next: s.first, blank: next == nil,
	}
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		off := fs.off
		body, err := fs.body()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = ld.frame(s, body, off, fs.off)
		} else if last && isDamage(err) {
			return ld.tear(s, off, fs.next)
		}
		if isDamage(err) {
			return ld.damage(s, off, err)
		}
		if err != nil {
			return err
		}
	}
	ld.last, ld.next = s, fs.next
	if s.end == fs.off {
		return nil
	}
	s.end, s.size = fs.off, fs.off
	return errors.Join(s.file.Truncate(s.end), s.file.Sync())
}

// after returns the segment that says where s ends.
func (ld *loading) after(s *segment) *segment {
	for _, next := range ld.segments {
		if next.prev == s.number {
			return next
		}
	}
	return nil
}

func isDamage(err error) bool {
	for _, damage := range [...]error{errCut, errHead, errBody, errSequence, errEntry} {
		if errors.Is(err, damage) {
			return true
		}
	}
	return false
}

func (ld *loading) damage(s *segment, off int64, err error) error {
	return &statelog.CorruptError{Path: ld.path(s.name()), Offset: off, Err: err}
}

// frame notes what a frame has.
func (ld *loading) frame(s *segment, body []byte, off, end int64) error {
	c := cursor{b: body}
	var e entry
	for c.next(&e) {
		switch e.kind {
		case entryRun:
			r := ld.runs[e.run]
			if r == nil {
				r = &loaded{run: run{number: e.run}, turns: map[uint64]*statelog.Record{}}
				r.info.Run = string(e.id)
				ld.runs[e.run] = r
			}
			if e.run == 0 || r.info.Run != string(e.id) {
				return errEntry
			}
			s.known[e.run] = true
		case entryRemoved:
			ld.removed[e.run] = s
		case entryRecords:
			if !s.known[e.run] {
				return errEntry
			}
			if err := ld.runs[e.run].note(&e, place{s, off, end}); err != nil {
				return err
			}
		}
		ld.nextRun = max(ld.nextRun, e.run+1)
	}
	if c.bad {
		return errEntry
	}
	return nil
}

func (r *loaded) note(e *entry, at place) error {
	r.extend(extent{
		seg: at.seg, off: at.off, end: at.end, first: e.first, last: e.last(),
		size: int64(len(e.payload)),
	})
	sides, err := e.sides()
	if err != nil {
		return err
	}
	r.sides = append(r.sides, sides...)
	return e.eachTurn(func(seq uint64, rec *statelog.Record) { r.turns[seq] = rec })
}

// finish makes the runs of what was found.
func (ld *loading) finish() error {
	ld.nextCommit = max(1, ld.next)
	if n := len(ld.segments); n > 0 {
		ld.current = ld.segments[n-1]
	}
	ld.sides = map[uint64]bool{}
	for _, number := range slices.Sorted(maps.Keys(ld.runs)) {
		r := ld.runs[number]
		if at := ld.removed[number]; at != nil {
			ld.dead[number] = newDeadRun(&r.run, at)
			continue
		}
		if err := ld.finishRun(r); err != nil {
			return err
		}
	}
	return nil
}

func (ld *loading) finishRun(r *loaded) error {
	if len(r.extents) == 0 {
		return nil // a compaction was interrupted
	}
	if missing, at := r.arrange(); missing > 0 {
		return &statelog.CorruptError{
			Path: ld.path(at.seg.name()), Offset: at.off, Seq: missing,
			Err: fmt.Errorf("records of run %q are missing before", r.info.Run),
		}
	}
	if ld.Log.runs[r.info.Run] != nil {
		at := r.extents[0]
		return ld.damage(at.seg, at.off, fmt.Errorf("run %q is there twice", r.info.Run))
	}
	for _, seq := range slices.Sorted(maps.Keys(r.turns)) {
		r.info.Add(r.turns[seq])
	}
	r.info.Seq = r.extents[len(r.extents)-1].last
	r.promised = r.info.Seq
	slices.Sort(r.sides)
	r.sides = slices.Compact(r.sides)
	for _, number := range r.sides {
		ld.sides[number] = true
	}
	ld.Log.runs[r.info.Run] = &r.run
	return nil
}
