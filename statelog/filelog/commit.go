package filelog

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"math"
	"runtime"
	"slices"

	"github.com/daggy-go/daggy/statelog"
)

// groupSize is about how many bytes a commit has at most, a large batch aside.
const groupSize = 16 << 20

// commit queues the batch and returns when it is durable, or what has come of it.
//
// There is no goroutine that commits: a batch that finds nobody at it commits
// itself and all that has come meanwhile, then asks the first of those that came
// since to go on. So nobody waits for a time to pass, and one that is alone has
// nobody to wait for.
func (l *Log) commit(b *batch) error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return ErrClosed
	}
	l.queue = append(l.queue, b)
	follows := l.committing
	l.committing = true
	l.mu.Unlock()
	if follows && <-b.wake == over {
		return b.err
	}
	// Those who were woken by the commit before are about to append again: they
	// had better be in this one. Of what group commit by hand does, 256 writers
	// reach 0.99 with this and 0.72 without.
	runtime.Gosched()
	l.lead()
	return b.err
}

// lead commits what is in the queue. The first batch is the caller's.
func (l *Log) lead() {
	l.mu.Lock()
	group := l.take()
	admitted := l.admit(group)
	l.mu.Unlock()
	at, err := l.write(admitted)
	l.mu.Lock()
	for _, b := range group {
		l.settle(b, at, err)
	}
	clear(l.opening)
	var next *batch
	if len(l.queue) > 0 {
		next = l.queue[0]
	} else {
		l.committing = false
		l.idle.Broadcast()
	}
	l.mu.Unlock()
	if next != nil {
		next.wake <- lead
	}
	for _, b := range group[1:] {
		b.wake <- over
	}
	clear(group)
	l.mu.Lock()
	l.spare = group[:0]
	l.mu.Unlock()
}

// take takes a commit off the queue.
func (l *Log) take() []*batch {
	size := 0
	for i, b := range l.queue {
		if size += len(b.payload); size > groupSize && i > 0 {
			group := slices.Clone(l.queue[:i])
			l.queue = slices.Delete(l.queue, 0, i)
			return group
		}
	}
	group := l.queue
	l.queue, l.spare = l.spare, nil
	return group
}

// place is where a commit went.
type place struct {
	seg      *segment
	off, end int64
}

// removedNext, as what is promised of a run, says that it is about to be removed.
const removedNext = math.MaxUint64

// admit refuses what does not go on from the end of its run, and returns the
// rest. Only who commits changes ends, so that they are not what they were when
// the batch was queued, but stay what they are now until it is settled.
func (l *Log) admit(group []*batch) []*batch {
	admitted := l.admitted[:0]
	for _, b := range group {
		if b.late, b.err = l.admitOne(b); b.err == nil {
			admitted = append(admitted, b)
		}
	}
	l.admitted = admitted
	return admitted
}

// admitOne returns why a batch is refused. late: that holds only if the commit
// succeeds, since something else in it is the reason.
func (l *Log) admitOne(b *batch) (late bool, err error) {
	if b.kind != entryRecords || b.moves {
		return false, l.admitUpkeep(b)
	}
	r := l.runs[b.id]
	if r == nil {
		r = l.opening[b.id]
	}
	switch {
	case r == nil && b.after > 0:
		return false, statelog.ErrNoRun
	case r == nil:
		r = &run{number: l.nextRun, info: statelog.RunInfo{Run: b.id}}
		l.nextRun++
		l.opening[b.id] = r
	case r.promised == removedNext:
		return true, statelog.ErrNoRun
	}
	if b.after != r.promised {
		return b.after == r.info.Seq, statelog.ErrFenced
	}
	b.run, b.entry.run = r, r.number
	r.promised += b.entry.count
	return false, nil
}

// settle tells what has come of a batch of a commit that went to a place or
// failed.
func (l *Log) settle(b *batch, at place, err error) {
	if err != nil {
		if b.err == nil || b.late {
			b.err = err
		}
		if b.run != nil {
			b.run.promised = b.run.info.Seq
		}
		return
	}
	if b.err != nil {
		return
	}
	switch {
	case b.kind == entryRemoved && b.run == nil:
		if d := l.dead[b.entry.run]; d != nil {
			d.at = at.seg
		}
	case b.kind == entryRemoved:
		l.forget(b.run, at.seg)
	case b.moves:
		b.at = at
	case b.kind == entryRecords:
		b.run.add(b, at)
		l.runs[b.id] = b.run
	}
}

// add notes the records of a batch that is durable.
func (r *run) add(b *batch, at place) {
	for i := range b.recs {
		if isTurn(b.recs[i].Kind) {
			r.info.Add(&b.recs[i])
		}
	}
	r.info.Seq = b.entry.last()
	r.sides = append(r.sides, b.sides...)
	r.extend(b.extent(at))
}

func (b *batch) extent(at place) extent {
	return extent{
		seg: at.seg, off: at.off, end: at.end, first: b.entry.first, last: b.entry.last(),
		size: int64(len(b.entry.payload)),
	}
}

// write makes the batches durable, all or none of them. An error that is
// ErrAmbiguous says that nobody knows.
func (l *Log) write(group []*batch) (place, error) {
	if len(group) == 0 {
		return place{}, nil
	}
	seg := l.current
	if seg == nil || seg.poisoned || l.full(seg, group) {
		return l.startSegment(group)
	}
	buf := l.assemble(seg, group, 0)
	n, err := seg.file.WriteAt(buf, seg.end)
	if err != nil {
		seg.unknow(group)
		if cut := seg.file.Truncate(seg.end); cut == nil && !isBlank(buf[n:]) {
			seg.size = seg.end
			// For want of space, as a rule. Not all of it is there: zeros might be.
			return place{}, err
		}
	} else {
		seg.widen(seg.end+int64(len(buf)), l.segmentSize)
		if err = seg.file.Sync(); err == nil {
			return l.wrote(seg, int64(len(buf))), nil
		}
	}
	// What is beyond end may be on the disk or not, and will be or not. All of it
	// is still in memory, and the next segment says that it does not count here.
	l.giveUp(seg)
	l.logger.Error("cannot write to a segment, it is given up",
		slog.String("path", l.path(seg.name())), slog.Any("err", err))
	at, again := l.startSegment(group)
	if again != nil {
		return place{}, errors.Join(statelog.ErrAmbiguous, err, again)
	}
	return at, nil
}

// giveUp has nothing written to a segment any more.
func (l *Log) giveUp(s *segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.poisoned = true
}

// full reports whether the next commit begins a new segment.
func (l *Log) full(seg *segment, group []*batch) bool {
	size := seg.end
	for _, b := range group {
		if b.kind == 0 {
			return true
		}
		size += int64(len(b.payload))
	}
	return size > l.segmentSize && seg.end > segmentHead
}

// wrote notes that a commit of so many bytes is durable.
func (l *Log) wrote(seg *segment, size int64) place {
	at := place{seg, seg.end, seg.end + size}
	l.nextCommit++
	l.dirty = true
	l.mu.Lock()
	defer l.mu.Unlock()
	seg.end = at.end
	return at
}

// assemble returns the frame of a commit to the segment, after so many bytes for
// something else.
func (l *Log) assemble(seg *segment, group []*batch, before int) []byte {
	buf := append(l.buf[:0], make([]byte, before+frameHead)...)
	for _, b := range group {
		switch b.kind {
		case entryRemoved:
			buf = appendRemoved(buf, b.entry.run)
		case entryRecords:
			if !seg.known[b.entry.run] {
				seg.known[b.entry.run] = true
				b.introduced = true
				buf = appendRun(buf, b.entry.run, b.run.info.Run)
			}
			buf = appendEntry(buf, &b.entry)
		}
	}
	seg.salt.seal(buf[before:], l.nextCommit)
	if cap(buf) <= 4*keepMost {
		l.buf = buf
	}
	return buf
}

// unknow takes back that a segment introduces the runs of a commit that it does
// not have.
func (s *segment) unknow(group []*batch) {
	for _, b := range group {
		if b.introduced {
			delete(s.known, b.entry.run)
			b.introduced = false
		}
	}
}

// startSegment begins a new segment with a commit. Its name appears when all of
// it is durable.
func (l *Log) startSegment(group []*batch) (place, error) {
	l.lastNumber++
	seg := &segment{
		header: header{salt: newSalt(), number: l.lastNumber, first: l.nextCommit},
		end:    segmentHead, known: map[uint64]bool{},
	}
	if before := l.current; before != nil {
		seg.prev, seg.prevEnd = before.number, uint64(before.end)
	}
	buf := l.assemble(seg, group, segmentHead)
	seg.appendHeader(buf[:0])
	if err := l.create(seg, buf); err != nil {
		if before := l.current; before != nil && errors.Is(err, statelog.ErrAmbiguous) {
			// After a crash the new one may be there and say where this one ends.
			l.giveUp(before)
		}
		return place{}, err
	}
	if before := l.current; before != nil && !before.poisoned {
		// The new one says where it ends, but not for ever.
		if err := errors.Join(before.trim(), before.file.Sync()); err != nil {
			l.giveUp(before)
		}
	}
	l.current = seg
	l.mu.Lock()
	l.segments = append(l.segments, seg)
	l.mu.Unlock()
	return l.wrote(seg, int64(len(buf)-segmentHead)), nil
}

func newSalt() salt {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return salt(binary.LittleEndian.Uint32(b[:]))
}

// create makes the file of a segment durable, content and name.
func (l *Log) create(seg *segment, content []byte) error {
	temporary := seg.name() + ".tmp"
	f, err := l.fs.Create(temporary)
	if err != nil {
		return err
	}
	seg.file = f
	if _, err = f.WriteAt(content, 0); err == nil {
		seg.widen(int64(len(content)), l.segmentSize)
		err = f.Sync()
	}
	if err == nil {
		err = l.fs.Rename(temporary, seg.name())
	}
	if err != nil {
		_ = l.fs.Remove(temporary)
		return errors.Join(err, f.Close())
	}
	if err = l.fs.SyncDir(); err == nil {
		return nil
	}
	// It may be there after a crash, unless the next segment is there too and says
	// that it is void.
	if l.fs.Remove(seg.name()) != nil {
		l.mu.Lock()
		l.void = true
		l.mu.Unlock()
	}
	return errors.Join(statelog.ErrAmbiguous, err, f.Close())
}
