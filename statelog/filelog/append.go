package filelog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/daggy-go/daggy/statelog"
)

// A batch is a part of a commit: what one Append adds, or what pruning removes
// and moves.
type batch struct {
	// kind is entryRecords or entryRemoved, or 0 for nothing but a new segment.
	kind  byte
	id    string
	run   *run // nil: to be found by id
	after uint64
	recs  []statelog.Record
	// entry is what is written. Its turns and payload are in the memory that the
	// batch has.
	entry entry
	sides []uint64
	moves bool  // the records are elsewhere already
	at    place // where the moved records are now

	turns, payload, record []byte
	introduced             bool // the frame says who the run is

	// What comes of it: err, once wake has said so.
	err  error
	late bool // err holds only if the commit succeeds
	wake chan signal
}

// A signal is what a batch waits for.
type signal uint8

const (
	over signal = iota // err says what has come of it
	lead               // commit, with all that is in the queue
)

var batches = sync.Pool{New: func() any { return &batch{wake: make(chan signal, 1)} }}

func newBatch(id string, after uint64, recs []statelog.Record) *batch {
	b, _ := batches.Get().(*batch)
	b.kind, b.id, b.after, b.recs = entryRecords, id, after, recs
	return b
}

// keepMost bounds the memory that a batch keeps for the next one.
const keepMost = 1 << 20

func (b *batch) free() {
	kept := batch{wake: b.wake}
	if cap(b.payload) <= keepMost {
		kept.turns, kept.payload, kept.record = b.turns[:0], b.payload[:0], b.record[:0]
	}
	*b = kept
	batches.Put(b)
}

// Append adds recs to the run and returns when they are on the disk. Appends that
// wait at the same time share a commit.
//
// Once the records are on their way to the disk they are added whether ctx ends
// or not. ErrAmbiguous is returned if the disk fails so that nobody knows what is
// on it; what is read back from the log is then what the next Append goes on
// from.
func (l *Log) Append(
	ctx context.Context, id string, after uint64, recs []statelog.Record,
) (uint64, error) {
	if ctx.Err() != nil {
		return 0, fmt.Errorf("filelog: append to run %q: %w", id, context.Cause(ctx))
	}
	if err := l.append(id, after, recs); err != nil {
		return 0, fmt.Errorf("filelog: append to run %q after %d: %w", id, after, err)
	}
	return after + uint64(len(recs)), nil
}

func (l *Log) append(id string, after uint64, recs []statelog.Record) error {
	if err := l.compare(id, after, len(recs) == 0); err != nil || len(recs) == 0 {
		return err
	}
	b := newBatch(id, after, recs)
	defer b.free()
	err := l.encode(b)
	if err == nil {
		err = l.commit(b)
	}
	if err != nil && !errors.Is(err, statelog.ErrAmbiguous) {
		l.removeSides(b.sides)
	}
	if errors.Is(err, statelog.ErrNoRun) {
		err = statelog.ErrNoRun
	}
	return err
}

// compare refuses what cannot succeed whatever is under way: a number that is
// behind the end. exactly: nor may it be beyond.
func (l *Log) compare(id string, after uint64, exactly bool) error {
	l.mu.Lock()
	r := l.runs[id]
	closed := l.closed
	var end uint64
	if r != nil {
		end = r.info.Seq
	}
	l.mu.Unlock()
	switch {
	case closed:
		return ErrClosed
	case r == nil && after > 0:
		return statelog.ErrNoRun
	case after < end, exactly && after != end:
		return statelog.ErrFenced
	}
	return nil
}

// encode writes what the batch adds to memory, and large records to files of
// their own.
func (l *Log) encode(b *batch) error {
	b.entry = entry{kind: entryRecords, first: b.after + 1, count: uint64(len(b.recs))}
	for i := range b.recs {
		rec := &b.recs[i]
		if isTurn(rec.Kind) {
			var err error
			if b.turns, err = appendTurn(b.turns, i, rec); err != nil {
				return err
			}
		}
		if err := l.encodeRecord(b, rec); err != nil {
			return err
		}
	}
	if len(b.turns) > 0 {
		b.entry.flags |= withTurns
	}
	if len(b.sides) > 0 {
		b.entry.flags |= withSides
	}
	b.entry.turns, b.entry.payload = b.turns, b.payload
	if len(b.turns) > maxRecord*len(b.recs) {
		return fmt.Errorf("the tags take %d bytes, which is too much", len(b.turns))
	}
	if len(b.payload) > maxFrame/2 {
		return fmt.Errorf("the records take %d bytes, which is too much at once", len(b.payload))
	}
	return nil
}

func (l *Log) encodeRecord(b *batch, rec *statelog.Record) error {
	var err error
	if b.record, err = rec.AppendBinary(b.record[:0]); err != nil {
		return err
	}
	if len(b.record) <= maxRecord {
		b.payload = binary.AppendUvarint(b.payload, uint64(len(b.record)))
		b.payload = append(b.payload, b.record...)
		return nil
	}
	l.mu.Lock()
	number := l.nextSide
	l.nextSide++
	l.mu.Unlock()
	s, err := writeSide(l.fs, number, b.record)
	if err != nil {
		return err
	}
	b.sides = append(b.sides, number)
	b.payload = s.append(append(b.payload, 0))
	return nil
}

// removeSides removes files that nothing refers to. What it cannot remove, the
// next Open does.
func (l *Log) removeSides(sides []uint64) {
	for _, number := range sides {
		_ = l.fs.Remove(sideName(number))
	}
}
