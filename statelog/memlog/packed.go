package memlog

import (
	"math"
	"slices"
	"strings"
	"time"
	"unique"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/statelog"
)

// A packed record is a record of an attempt, without pointers: the collector
// does not look at it. Its number follows from its place.
type packed struct {
	time     int64  // nanoseconds since 1970
	elapsed  uint32 // from Start to Time, its low bits
	task     uint32
	instance int32
	side     uint32 // where the rest is, in the table that form names
	attempt  uint16
	node     uint16 // into the names of nodes; 0 is ""
	kind     statelog.Kind
	class    statelog.Class
	form     form
	elapsed8 uint8 // from Start to Time, its high bits
}

// form says what else there is of a record.
type form uint8

const (
	sideMask   form = 3
	sideNone   form = 0
	sideResult form = 1 // a result and nothing else
	sideDetail form = 2
	sideWhole  form = 3 // all of it, the packed fields mean nothing

	hasTime  form = 4
	hasStart form = 8
	isFinal  form = 16 // the delay is final
)

// final is the delay of an outcome that is final, as engines write it.
const final = time.Duration(-1)

// A detail is what few records of attempts have.
type detail struct {
	result *executor.Result
	ref    string
	reason unique.Handle[string] // many fail for the same reason; zero: ""
	delay  time.Duration
}

// records are the records of one run, in order. A copy goes on to show what it
// had while the original grows.
type records struct {
	packed  table[packed]
	results table[*executor.Result]
	details table[detail]
	whole   table[*statelog.Record]

	// nodes are numbered from 1, numbers finds them. Most records have the node
	// of the one before.
	nodes   []string
	numbers map[string]uint16
	recent  uint16
}

func (rs *records) len() uint64 { return uint64(rs.packed.n) }

// add packs rec and keeps nothing of it but what is never altered.
func (rs *records) add(rec *statelog.Record) {
	p := rs.packed.add()
	if !rs.pack(p, rec) {
		whole := *rec
		whole.Seq = rs.len()
		whole.Pools = slices.Clone(rec.Pools)
		*p = packed{form: sideWhole, side: uint32(rs.whole.n)}
		*rs.whole.add() = &whole
	}
}

// pack reports false for a record that does not fit.
func (rs *records) pack(p *packed, rec *statelog.Record) bool {
	if !packable(rec) {
		return false
	}
	p.kind, p.class = rec.Kind, rec.Class
	p.task, p.instance, p.attempt = uint32(rec.Task), int32(rec.Instance), uint16(rec.Attempt)
	node, ok := rs.node(rec.Node)
	if !ok || !p.packTimes(rec.Time, rec.Start) {
		return false
	}
	p.node = node
	rs.packRest(p, rec)
	return true
}

func packable(rec *statelog.Record) bool {
	if rec.Kind < statelog.Intent || rec.Kind > statelog.NotStarted {
		return false
	}
	if rec.Decision != 0 || rec.All || rec.State != "" || rec.Engine != "" {
		return false
	}
	if rec.Opened != nil || rec.Pools != nil || rec.Output != nil {
		return false
	}
	return uint64(rec.Task) <= math.MaxUint32 && uint64(rec.Attempt) <= math.MaxUint16 &&
		int(int32(rec.Instance)) == rec.Instance
}

// packTimes reports false for times that nanoseconds since 1970 cannot tell and
// for what lasted longer than 18 minutes.
func (p *packed) packTimes(at, start time.Time) bool {
	if !at.IsZero() {
		if !tellable(at) {
			return false
		}
		p.time = at.UnixNano()
		p.form |= hasTime
	}
	if start.IsZero() {
		return true
	}
	// Not by Sub, which would use the monotonic clock: what is read back is
	// wall clock time.
	elapsed := p.time - start.UnixNano()
	p.elapsed, p.elapsed8 = uint32(elapsed), uint8(elapsed>>32)
	p.form |= hasStart
	return elapsed>>40 == 0 && tellable(start)
}

// tellable reports whether nanoseconds since 1970 can tell the time: it is after
// 1678 and before 2262.
func tellable(t time.Time) bool {
	const seconds = math.MaxInt64 / int64(time.Second)
	s := t.Unix()
	return -seconds < s && s < seconds
}

func (rs *records) packRest(p *packed, rec *statelog.Record) {
	delay := rec.Delay
	if delay == final {
		p.form |= isFinal
		delay = 0
	}
	switch {
	case rec.Ref != "" || rec.Reason != "" || delay != 0:
		p.form |= sideDetail
		p.side = uint32(rs.details.n)
		d := rs.details.add()
		d.result, d.delay, d.ref = rec.Result, delay, strings.Clone(rec.Ref)
		if rec.Reason != "" {
			d.reason = unique.Make(rec.Reason)
		}
	case rec.Result != nil:
		p.form |= sideResult
		p.side = uint32(rs.results.n)
		*rs.results.add() = rec.Result
	}
}

// node numbers the names of nodes. It reports false if there are too many.
func (rs *records) node(name string) (uint16, bool) {
	if name == "" {
		return 0, true
	}
	if rs.recent > 0 && rs.nodes[rs.recent-1] == name {
		return rs.recent, true
	}
	n, ok := rs.numbers[name]
	if !ok {
		if len(rs.nodes) == math.MaxUint16 {
			return 0, false
		}
		if rs.numbers == nil {
			rs.numbers = make(map[string]uint16)
		}
		name = strings.Clone(name)
		rs.nodes = append(rs.nodes, name)
		n = uint16(len(rs.nodes))
		rs.numbers[name] = n
	}
	rs.recent = n
	return n, true
}

// at returns the i-th record, from 0.
func (rs *records) at(i uint64) statelog.Record {
	p := rs.packed.at(int(i))
	if p.form&sideMask == sideWhole {
		return **rs.whole.at(int(p.side))
	}
	rec := statelog.Record{
		Seq: i + 1, Kind: p.kind, Class: p.class,
		Task: int(p.task), Instance: int(p.instance), Attempt: int(p.attempt),
	}
	if p.node > 0 {
		rec.Node = rs.nodes[p.node-1]
	}
	if p.form&hasTime != 0 {
		rec.Time = time.Unix(0, p.time)
	}
	if p.form&hasStart != 0 {
		rec.Start = time.Unix(0, p.time-(int64(p.elapsed8)<<32|int64(p.elapsed)))
	}
	rs.unpackRest(p, &rec)
	return rec
}

func (rs *records) unpackRest(p *packed, rec *statelog.Record) {
	switch p.form & sideMask {
	case sideResult:
		rec.Result = *rs.results.at(int(p.side))
	case sideDetail:
		d := rs.details.at(int(p.side))
		rec.Result, rec.Ref, rec.Delay = d.result, d.ref, d.delay
		if d.reason != (unique.Handle[string]{}) {
			rec.Reason = d.reason.Value()
		}
	default:
	}
	if p.form&isFinal != 0 {
		rec.Delay = final
	}
}
