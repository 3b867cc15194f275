package statelog

import (
	"bytes"
	"fmt"
	"time"

	"github.com/daggy-go/daggy/dag"
)

// UnmarshalBinary accepts what [Record.AppendBinary] appends, all of data and
// nothing else. What it does not know is an error, whether a version, a kind or a
// part: a record that is not understood as a whole is not understood. After an
// error the record means nothing.
//
// It retains nothing of data. Seq stays what it was. Who decodes many records
// into the same Record allocates little: texts that are the same as in the one
// before are shared with it.
func (rec *Record) UnmarshalBinary(data []byte) error {
	if rec.unmarshalPlain(data) {
		return nil
	}
	d := decoder{b: data}
	head := d.byte()
	if version := head >> 4; d.err == nil && version != BinaryVersion {
		return fmt.Errorf("statelog: record of version %d, this library knows version %d",
			version, BinaryVersion)
	}
	kind := Kind(head & 0xf)
	if d.err == nil && !known(kinds, kind) {
		return fmt.Errorf("statelog: record: there is no kind %d", kind)
	}
	bits := d.uvarint()
	if bits >= uint64(pastPresence) {
		d.fail("it has parts that are not known")
	} else if presence(bits).contradict() {
		d.fail("it has a part in two forms")
	}
	d.record(rec, kind, presence(bits))
	if d.err == nil && len(d.b) > 0 {
		d.fail("%d bytes follow it", len(d.b))
	}
	if d.err != nil {
		return fmt.Errorf("statelog: %s record: %w", kind, d.err)
	}
	return nil
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

func (d *decoder) record(rec *Record, kind Kind, has presence) {
	node, ref, reason := rec.Node, rec.Ref, rec.Reason
	*rec = Record{Seq: rec.Seq, Kind: kind}
	var base int64
	if has&hasTime != 0 {
		base = int64(d.uint64())
		rec.Time = time.Unix(0, base)
	}
	if has&hasTask != 0 {
		rec.Task = d.int()
	}
	if has&hasInstance != 0 {
		rec.Instance = d.int()
	}
	if has&hasAttempt != 0 {
		rec.Attempt = d.int()
	}
	if has&hasStart != 0 {
		rec.Start = d.near(base)
	}
	if has&isFinal != 0 {
		rec.Delay = final
	}
	if has&hasNode != 0 {
		rec.Node = d.text(node)
	}
	if has >= hasClass {
		d.node = node
		d.outcome(rec, base, has, ref, reason)
		d.run(rec, has)
	}
}

// outcome decodes what appendOutcome appends. ref and reason are those of the
// record before.
func (d *decoder) outcome(rec *Record, base int64, has presence, ref, reason string) {
	if has&hasClass != 0 {
		rec.Class = Class(d.word(classes, "class"))
	}
	if has&hasResult != 0 {
		rec.Result = d.result(base)
	}
	if has&hasReason != 0 {
		rec.Reason = d.text(reason)
	}
	if has&hasRef != 0 {
		rec.Ref = d.text(ref)
	}
	if has&hasDelay != 0 {
		rec.Delay = d.duration()
	}
	if has&hasOutput != 0 {
		rec.Output = bytes.Clone(d.bytes())
	}
	if has&hasDecision != 0 {
		rec.Decision = Decision(d.word(decisions, "decision"))
	}
	rec.All = has&isAll != 0
}

// run decodes what appendRun appends.
func (d *decoder) run(rec *Record, has presence) {
	if has&hasState != 0 {
		rec.State = d.text("")
	}
	if has&hasEngine != 0 {
		rec.Engine = d.text("")
	}
	if has&hasPools != 0 {
		rec.Pools = d.pools()
	}
	if has&hasOpened != 0 {
		rec.Opened = d.opening()
	}
	if has&hasFarTime != 0 {
		rec.Time = d.far()
	}
	if has&hasFarStart != 0 {
		rec.Start = d.far()
	}
}

func (d *decoder) pools() []Pool {
	pools := make([]Pool, d.count(3))
	for i := range pools {
		pools[i] = Pool{Name: d.text(""), Executor: d.text(""), Durable: d.flags(1) != 0}
	}
	return pools
}

// opening decodes what appendOpening appends.
func (d *decoder) opening() *Opening {
	op := &Opening{Version: d.int(), Expansion: d.int()}
	flags := d.flags(3)
	op.FailFast, op.LongestPathFirst = flags&1 != 0, flags&2 != 0
	op.KeyPrefix, op.Seed = d.text(""), d.uint64()
	op.Tags = d.tags()
	if flags&4 == 0 || d.err != nil {
		return op
	}
	definition, err := anything.Parse(d.bytes())
	if err != nil {
		d.fail("definition: %w", err)
		return op
	}
	op.Definition = func() *dag.DAG { return definition }
	return op
}

func (d *decoder) tags() map[string]string {
	n := d.count(2)
	if n == 0 {
		return nil
	}
	tags := make(map[string]string, n)
	for range n {
		key := d.text("")
		if _, ok := tags[key]; ok {
			d.fail("the tag %q is there twice", key)
		}
		tags[key] = d.text("")
	}
	return tags
}

// word returns the number of one of these texts.
func (d *decoder) word(texts []string, what string) byte {
	n := d.byte()
	if d.err == nil && !known(texts, n) {
		d.fail("there is no %s %d", what, n)
		return 0
	}
	return n
}
