package filelog

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/daggy-go/daggy/statelog"
)

// The kinds of entries of which the body of a frame consists.
const (
	entryRun     = 1 // gives a run its number; before the first of it in a segment
	entryRecords = 2
	entryRemoved = 3 // the run of that number is no more

	entryKind = 0x0f
	withTurns = 0x10 // of entryRecords: there is a summary
	withSides = 0x20 // of entryRecords: some of them are in side files
)

// An entry is a part of a frame, and shares its memory.
type entry struct {
	kind, flags byte
	run         uint64
	id          []byte // entryRun

	// The records are numbers first to first+count-1 of their run.
	first, count   uint64
	turns, payload []byte
}

// last is the number of the last record.
func (e *entry) last() uint64 { return e.first + e.count - 1 }

var errEntry = errors.New("a commit has a part that is not understood")

// A cursor takes entries, and what they consist of, off the front of b.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) uvarint() uint64 {
	if len(c.b) > 0 && c.b[0] < 0x80 {
		v := uint64(c.b[0])
		c.b = c.b[1:]
		return v
	}
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.bad, c.b = true, nil
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *cursor) bytes() []byte { return c.take(c.uvarint()) }

func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.bad, c.b = true, nil
		return nil
	}
	b := c.b[:n]
	c.b = c.b[n:]
	return b
}

// next takes the next entry. It reports false at the end, which is good if c is
// not bad.
func (c *cursor) next(e *entry) bool {
	if len(c.b) == 0 {
		return false
	}
	head := c.b[0]
	c.b = c.b[1:]
	*e = entry{kind: head & entryKind, flags: head &^ entryKind, run: c.uvarint()}
	switch {
	case e.kind == entryRun && e.flags == 0:
		e.id = c.bytes()
	case e.kind == entryRemoved && e.flags == 0:
	case e.kind == entryRecords && e.flags&^(withTurns|withSides) == 0:
		e.first, e.count = c.uvarint(), c.uvarint()
		if e.flags&withTurns != 0 {
			e.turns = c.bytes()
		}
		e.payload = c.bytes()
		// A record takes more than a byte, and numbers do not start again.
		c.bad = c.bad || e.count == 0 || e.first == 0 || e.count > uint64(len(e.payload)) ||
			e.last() < e.first
	default:
		c.bad = true
	}
	return !c.bad
}

func appendText[T ~string | ~[]byte](b []byte, text T) []byte {
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

func appendRun(b []byte, run uint64, id string) []byte {
	b = binary.AppendUvarint(append(b, entryRun), run)
	return appendText(b, id)
}

func appendRemoved(b []byte, run uint64) []byte {
	return binary.AppendUvarint(append(b, entryRemoved), run)
}

func appendEntry(b []byte, e *entry) []byte {
	b = append(b, e.kind|e.flags)
	b = binary.AppendUvarint(b, e.run)
	b = binary.AppendUvarint(b, e.first)
	b = binary.AppendUvarint(b, e.count)
	if e.flags&withTurns != 0 {
		b = appendText(b, e.turns)
	}
	return appendText(b, e.payload)
}

// turns decodes the summary: what changes what is said of the run, each with its
// place among the records of the entry.
func (e *entry) eachTurn(f func(seq uint64, rec *statelog.Record)) error {
	c := cursor{b: e.turns}
	for len(c.b) > 0 {
		place := c.uvarint()
		data := c.bytes()
		if c.bad || place >= e.count {
			return errEntry
		}
		var rec statelog.Record
		if err := rec.UnmarshalBinary(data); err != nil {
			return fmt.Errorf("%w: %w", errEntry, err)
		}
		f(e.first+place, &rec)
	}
	return nil
}

// isTurn reports whether records of this kind change what is said of their run.
func isTurn(kind statelog.Kind) bool {
	return kind == statelog.Opened || kind == statelog.Closed || kind == statelog.Reopened
}

// appendTurn adds to a summary what is said of the run because of rec.
func appendTurn(b []byte, place int, rec *statelog.Record) ([]byte, error) {
	short := statelog.Record{Kind: rec.Kind, Time: rec.Time, State: rec.State}
	if rec.Opened != nil {
		short.Opened = &statelog.Opening{Tags: rec.Opened.Tags}
	}
	data, err := short.AppendBinary(nil)
	if err != nil {
		return b, err
	}
	b = binary.AppendUvarint(b, uint64(place))
	return appendText(b, data), nil
}
