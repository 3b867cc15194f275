package statelog

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// BinaryVersion is the version of the binary form of records. FORMAT.md draws it.
const BinaryVersion = 1

// A presence has a bit for each part of a record that is there. The parts follow
// in the order of the bits, so those of an attempt that just succeeds take one
// byte of them.
type presence uint32

const (
	hasTime presence = 1 << iota
	hasTask
	hasInstance
	hasAttempt
	hasStart
	isFinal // the Delay is final; nothing follows
	hasNode

	hasClass
	hasResult
	hasReason
	hasRef
	hasDelay
	hasOutput
	hasDecision

	isAll // nothing follows
	hasState
	hasEngine
	hasPools
	hasOpened
	hasFarTime  // instead of hasTime
	hasFarStart // instead of hasStart

	pastPresence
)

// final is the Delay of an outcome that is final, as engines write it.
const final = time.Duration(-1)

// AppendBinary appends the record to dst in the binary form that all logs on
// disks and servers share, and returns dst as it was and an error if it has a
// kind, a class or a decision that is none, or a definition that JSON cannot
// express.
//
// Seq is not part of it: the place of a record in its log says that. All other
// fields are, apart from the monotonic clock and the location of times; lists and
// maps without elements become nil.
func (rec *Record) AppendBinary(dst []byte) ([]byte, error) {
	if err := rec.checkWords(); err != nil {
		return dst, fmt.Errorf("statelog: %w", err)
	}
	has := rec.parts()
	b := append(dst, BinaryVersion<<4|byte(rec.Kind))
	b = binary.AppendUvarint(b, uint64(has))
	b = rec.appendPlace(b, has)
	if has < hasClass {
		return b, nil
	}
	b = rec.appendOutcome(b, has)
	b, err := rec.appendRun(b, has)
	if err != nil {
		return dst, fmt.Errorf("statelog: %s record: %w", rec.Kind, err)
	}
	return b, nil
}

func (rec *Record) checkWords() error {
	switch {
	case !known(kinds, rec.Kind):
		return fmt.Errorf("there is no kind %d", rec.Kind)
	case !known(classes, rec.Class):
		return fmt.Errorf("there is no class %d", rec.Class)
	case rec.Decision != 0 && !known(decisions, rec.Decision):
		return fmt.Errorf("there is no decision %d", rec.Decision)
	}
	return nil
}

// parts returns what the record has.
func (rec *Record) parts() presence {
	has := rec.times()
	if rec.Task != 0 {
		has |= hasTask
	}
	if rec.Instance != 0 {
		has |= hasInstance
	}
	if rec.Attempt != 0 {
		has |= hasAttempt
	}
	if rec.Node != "" {
		has |= hasNode
	}
	if rec.Class != Success {
		has |= hasClass
	}
	if rec.Result != nil {
		has |= hasResult
	}
	if rec.Reason != "" {
		has |= hasReason
	}
	switch rec.Delay {
	case 0:
	case final:
		has |= isFinal
	default:
		has |= hasDelay
	}
	return has | rec.rareParts()
}

func (rec *Record) rareParts() presence {
	var has presence
	if rec.Ref != "" {
		has |= hasRef
	}
	if rec.Output != nil {
		has |= hasOutput
	}
	if rec.Decision != 0 {
		has |= hasDecision
	}
	if rec.All {
		has |= isAll
	}
	if rec.State != "" {
		has |= hasState
	}
	if rec.Engine != "" {
		has |= hasEngine
	}
	if len(rec.Pools) > 0 {
		has |= hasPools
	}
	if rec.Opened != nil {
		has |= hasOpened
	}
	return has
}

// times says how the two times are written.
func (rec *Record) times() presence {
	var has presence
	switch {
	case near(rec.Time):
		has |= hasTime
	case !rec.Time.IsZero():
		has |= hasFarTime
	}
	switch {
	case near(rec.Start):
		has |= hasStart
	case !rec.Start.IsZero():
		has |= hasFarStart
	}
	return has
}

// base is what the other times of the record are told by, in nanoseconds since
// 1970: its Time, or 1970 if that is not near.
func (rec *Record) base(has presence) int64 {
	if has&hasTime == 0 {
		return 0
	}
	return rec.Time.UnixNano()
}

// appendPlace appends what nearly all records have.
func (rec *Record) appendPlace(b []byte, has presence) []byte {
	base := rec.base(has)
	if has&hasTime != 0 {
		b = binary.LittleEndian.AppendUint64(b, uint64(base))
	}
	if has&hasTask != 0 {
		b = binary.AppendVarint(b, int64(rec.Task))
	}
	if has&hasInstance != 0 {
		b = binary.AppendVarint(b, int64(rec.Instance))
	}
	if has&hasAttempt != 0 {
		b = binary.AppendVarint(b, int64(rec.Attempt))
	}
	if has&hasStart != 0 {
		b = appendNear(b, base, rec.Start)
	}
	if has&hasNode != 0 {
		b = appendText(b, rec.Node)
	}
	return b
}

// appendOutcome appends what comes of an attempt, and decisions.
func (rec *Record) appendOutcome(b []byte, has presence) []byte {
	if has&hasClass != 0 {
		b = append(b, byte(rec.Class))
	}
	if has&hasResult != 0 {
		b = appendResult(b, rec.base(has), rec.Result)
	}
	if has&hasReason != 0 {
		b = appendText(b, rec.Reason)
	}
	if has&hasRef != 0 {
		b = appendText(b, rec.Ref)
	}
	if has&hasDelay != 0 {
		b = binary.AppendVarint(b, int64(rec.Delay))
	}
	if has&hasOutput != 0 {
		b = appendText(b, rec.Output)
	}
	if has&hasDecision != 0 {
		b = append(b, byte(rec.Decision))
	}
	return b
}

// appendRun appends what records of the whole run have, and times that are far.
func (rec *Record) appendRun(b []byte, has presence) ([]byte, error) {
	if has&hasState != 0 {
		b = appendText(b, rec.State)
	}
	if has&hasEngine != 0 {
		b = appendText(b, rec.Engine)
	}
	if has&hasPools != 0 {
		b = appendPools(b, rec.Pools)
	}
	if has&hasOpened != 0 {
		var err error
		if b, err = appendOpening(b, rec.Opened); err != nil {
			return nil, err
		}
	}
	if has&hasFarTime != 0 {
		b = appendFar(b, rec.Time)
	}
	if has&hasFarStart != 0 {
		b = appendFar(b, rec.Start)
	}
	return b, nil
}

func appendPools(b []byte, pools []Pool) []byte {
	b = binary.AppendUvarint(b, uint64(len(pools)))
	for i := range pools {
		b = appendText(b, pools[i].Name)
		b = appendText(b, pools[i].Executor)
		b = appendFlags(b, pools[i].Durable)
	}
	return b
}

func appendOpening(b []byte, op *Opening) ([]byte, error) {
	b = binary.AppendVarint(b, int64(op.Version))
	b = binary.AppendVarint(b, int64(op.Expansion))
	b = appendFlags(b, op.FailFast, op.LongestPathFirst, op.Definition != nil)
	b = appendText(b, op.KeyPrefix)
	b = binary.LittleEndian.AppendUint64(b, op.Seed)
	b = binary.AppendUvarint(b, uint64(len(op.Tags)))
	for _, key := range slices.Sorted(maps.Keys(op.Tags)) {
		b = appendText(b, key)
		b = appendText(b, op.Tags[key])
	}
	if op.Definition == nil {
		return b, nil
	}
	definition, err := json.Marshal(op.Definition())
	if err != nil {
		return nil, fmt.Errorf("definition: %w", err)
	}
	return appendText(b, definition), nil
}
