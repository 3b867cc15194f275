package statelog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/daggy-go/daggy/executor"
)

// A Decoder decodes records in the binary form one after the other, as a log
// reads them. It is for millions: neighbours have much in common, so what they
// share is allocated once. The zero Decoder is ready to use, by one goroutine at
// a time.
type Decoder struct {
	rec Record
	has presence // what rec has

	// What the last records and results had.
	node, ref, reason, signal, cause, message string
	left, unenforced                          []string

	results []executor.Result // that were allocated and not used yet
	atOnce  int               // how many of them
}

// common are the parts of nearly all records of a run. The fields of the others
// are empty as a rule, and stay so without being cleared for each record.
const common = hasTime | hasTask | hasInstance | hasAttempt | hasStart | isFinal | hasNode |
	hasClass | hasResult

// Decode accepts what [Record.AppendBinary] appends, all of data and nothing
// else. What it does not know is an error, whether a version, a kind or a part: a
// record that is not understood as a whole is not understood.
//
// The record is valid until the next call; what it points to stays as it is. Its
// Seq is 0. Nothing of data is retained.
func (d *Decoder) Decode(data []byte) (*Record, error) {
	d.clear()
	kind, has, i := head(data)
	d.has = has
	base, i := d.place(data, i, kind, has)
	if has < hasNode && i == len(data) && kind != 0 {
		return &d.rec, nil // as nearly all records of a large run
	}
	s := source{b: data}
	s.skip(i)
	if kind == 0 {
		s.err = misread(data)
	}
	d.outcome(&s, base, has)
	if len(s.b) > 0 {
		s.fail("%d bytes follow it", len(s.b))
	}
	if s.err != nil {
		d.has = pastPresence // nothing is known of rec
		return nil, fmt.Errorf("statelog: %s: %w", subject(kind), s.err)
	}
	return &d.rec, nil
}

// clear empties the fields that the next record may not have and not set.
func (d *Decoder) clear() {
	switch {
	case d.has&^common != 0:
		d.rec = Record{}
	case d.has >= hasNode:
		d.rec.Node, d.rec.Result = "", nil
	}
}

// subject is what the error is about if the kind is known.
func subject(kind Kind) string {
	if kind == 0 {
		return "record"
	}
	return kind.String() + " record"
}

// head returns what the record is, what it has and where that begins. The kind is
// 0 if that is not understood.
func head(data []byte) (kind Kind, has presence, i int) {
	if len(data) < 2 {
		return 0, 0, len(data)
	}
	kind = Kind(data[0] & 0xf)
	bits, i := uint64(data[1]), 2
	if bits >= 0x80 {
		bits, i = uvarintAt(data, 1)
	}
	if data[0]>>4 != BinaryVersion || !known(kinds, kind) || bits >= uint64(pastPresence) ||
		bits >= uint64(hasReason) && presence(bits).contradict() {
		return 0, 0, len(data)
	}
	return kind, presence(bits), i
}

// misread is why head does not understand it.
func misread(data []byte) error {
	if len(data) < 2 {
		return errShort
	}
	kind := Kind(data[0] & 0xf)
	bits, i := uvarintAt(data, 1)
	switch version := data[0] >> 4; {
	case version != BinaryVersion:
		return fmt.Errorf("it is of version %d, this library knows version %d",
			version, BinaryVersion)
	case !known(kinds, kind):
		return fmt.Errorf("there is no kind %d", kind)
	case i == past:
		return errShort
	case bits >= uint64(pastPresence):
		return errors.New("it has parts that are not known")
	}
	return errors.New("it has a part in two forms")
}

// contradict reports whether a part is there in two forms.
func (has presence) contradict() bool {
	for _, both := range [...]presence{
		hasTime | hasFarTime, hasStart | hasFarStart, isFinal | hasDelay,
	} {
		if has&both == both {
			return true
		}
	}
	return false
}

// place decodes what comes first, which is all that most records have, and returns
// where it ends.
func (d *Decoder) place(b []byte, i int, kind Kind, has presence) (moment, int) {
	rec := &d.rec
	rec.Seq, rec.Kind, rec.Class, rec.Delay = 0, kind, Success, 0
	rec.Time, rec.Start = time.Time{}, time.Time{}
	var base moment
	var task, instance, attempt, ago int64
	if has&hasTime != 0 {
		base, i = momentAt(b, i)
		rec.Time = base.before(0)
	}
	if has&hasTask != 0 {
		task, i = varintAt(b, i)
	}
	if has&hasInstance != 0 {
		instance, i = varintAt(b, i)
	}
	if has&hasAttempt != 0 {
		attempt, i = varintAt(b, i)
	}
	if has&hasStart != 0 {
		ago, i = varintAt(b, i)
		rec.Start = base.before(ago)
	}
	rec.Task, rec.Instance, rec.Attempt = int(task), int(instance), int(attempt)
	if has&isFinal != 0 {
		rec.Delay = final
	}
	if !fits(task) || !fits(instance) || !fits(attempt) {
		i = past
	}
	return base, i
}

// outcome decodes where the attempt was and what came of it.
func (d *Decoder) outcome(s *source, base moment, has presence) {
	rec := &d.rec
	if has&hasNode != 0 {
		rec.Node = s.repeated(&d.node)
	}
	if has&hasClass != 0 {
		rec.Class = Class(s.word(classes, "class"))
	}
	if has&hasResult != 0 {
		rec.Result = d.result(s, base)
	}
	if has >= hasReason {
		d.rare(s, has)
		rec.run(s, has)
	}
}

// rare decodes what appendOutcome appends, but for what is common.
func (d *Decoder) rare(s *source, has presence) {
	rec := &d.rec
	if has&hasReason != 0 {
		rec.Reason = s.repeated(&d.reason)
	}
	if has&hasRef != 0 {
		rec.Ref = s.repeated(&d.ref)
	}
	if has&hasDelay != 0 {
		rec.Delay = s.duration()
	}
	if has&hasOutput != 0 {
		rec.Output = bytes.Clone(s.bytes())
	}
	if has&hasDecision != 0 {
		rec.Decision = Decision(s.word(decisions, "decision"))
	}
	rec.All = has&isAll != 0
}

// A moment is a near time, split the way that makes times near it cheap.
type moment struct{ seconds, rest int64 }

func momentAt(b []byte, i int) (moment, int) {
	if i+8 > len(b) {
		return moment{}, past
	}
	const second = int64(time.Second)
	ns := int64(binary.LittleEndian.Uint64(b[i:]))
	return moment{ns / second, ns % second}, i + 8
}

// before returns the time that is so many nanoseconds before. The difference may
// wrap around, as when it was encoded.
func (m moment) before(ns int64) time.Time {
	if 0 <= ns && ns <= m.rest {
		return time.Unix(m.seconds, m.rest-ns)
	}
	return time.Unix(0, m.seconds*int64(time.Second)+m.rest-ns)
}
