package agent

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
	"github.com/daggy-go/daggy/statelog"
)

// FORMAT.md has the table of records.

func onBootClock(d time.Duration) time.Time { return time.Unix(0, int64(d)) }

func bootClock(t time.Time) time.Duration { return time.Duration(t.UnixNano()) }

func startRecord(start, boot string) statelog.Record {
	return statelog.Record{Kind: statelog.Resumed, Engine: start, Ref: boot}
}

// claimRecord says that a key is used.
func claimRecord(at *attempt) statelog.Record {
	return statelog.Record{
		Kind: statelog.Intent, Ref: at.key, Engine: at.session.id, State: at.hash.String(),
		Reason: formatResources(at.resources), Delay: at.lease, Start: onBootClock(at.contact),
	}
}

func withdrawnRecord(key string) statelog.Record {
	return statelog.Record{Kind: statelog.NotStarted, Ref: key}
}

// renewalRecord says when a session renewed its leases.
func renewalRecord(s *session) statelog.Record {
	return statelog.Record{
		Kind: statelog.Started, Engine: s.id, Start: onBootClock(s.contact),
	}
}

func takenRecord(at *attempt) statelog.Record {
	return statelog.Record{
		Kind: statelog.Decided, Decision: statelog.Retry, Ref: at.key, Engine: at.session.id,
		Start: onBootClock(at.contact), Delay: at.lease,
	}
}

// stoppedRecord says that an attempt is about to be stopped. A key that was never
// seen is closed by it.
func stoppedRecord(key, why, by string, late bool) statelog.Record {
	return statelog.Record{
		Kind: statelog.Decided, Decision: statelog.Kill, Ref: key, Reason: why, Engine: by,
		All: late,
	}
}

func evictedRecord(key string) statelog.Record {
	return statelog.Record{Kind: statelog.Lost, Ref: key}
}

// usedRecord says that keys are used, and that no more is known of them. owed: the
// executor has not been told that it may forget them.
func usedRecord(keys []string, owed bool) statelog.Record {
	return statelog.Record{
		Kind: statelog.Decided, Decision: statelog.Release, All: owed,
		Output: []byte(strings.Join(keys, "\n")),
	}
}

// appendUsed appends records of keys that are used, small enough to be kept among
// others.
func appendUsed(recs []statelog.Record, keys []string, owed bool) []statelog.Record {
	const most = 512
	for part := range slices.Chunk(keys, most) {
		recs = append(recs, usedRecord(part, owed))
	}
	return recs
}

// rangesRecord is a part of a keyset.Set.
func rangesRecord(part []byte) statelog.Record {
	return statelog.Record{Kind: statelog.Decided, Decision: statelog.Hold, Output: part}
}

// endedRecord has the outcome of an attempt.
func endedRecord(at *attempt) statelog.Record {
	o := at.outcome
	rec := statelog.Record{
		Kind: statelog.Done, Ref: at.key, Time: at.endedAt, State: o.Stopped, Engine: at.closer,
		Output: appendOutputs(nil, at), All: at.late, Node: at.node,
		Result: &o.Result, // never altered
	}
	if o.Failure != nil {
		// A failure is made of strings and booleans.
		text, _ := json.Marshal(o.Failure)
		rec.Reason = string(text)
	}
	return rec
}

// What is said of an output in a record.
const (
	outputNone = iota
	outputInline
	outputFile
	outputGone
)

// appendOutputs writes for each output a byte that says what it is, its size, and
// the bytes themselves if it is short.
func appendOutputs(b []byte, at *attempt) []byte {
	switch {
	case at.outputs == nil && at.outcome.Gone:
		return append(b, outputGone, 0, outputGone, 0)
	case at.outputs == nil:
		return append(b, outputNone, outputNone)
	}
	for i := range at.outputs {
		out := &at.outputs[i]
		data, short := out.inline()
		kind := byte(outputFile)
		switch {
		case at.outcome.Gone:
			kind, data = outputGone, nil
		case short && len(data) == 0:
			b = append(b, outputNone)
			continue
		case short:
			kind = outputInline
		}
		b = append(b, kind)
		b = binary.AppendUvarint(b, uint64(out.length()))
		if kind == outputInline {
			b = append(b, data...)
		}
	}
	return b
}

var errOutputs = errors.New("what is said of the outputs is malformed")

// parseOutputs reads what appendOutputs has written. gone: they were evicted.
func parseOutputs(b []byte, key, dir string) (all *outputs, gone bool, err error) {
	all = new(outputs)
	for i := range all {
		if len(b) == 0 {
			return nil, false, errOutputs
		}
		kind := b[0]
		if b = b[1:]; kind == outputNone {
			continue
		}
		size, n := binary.Uvarint(b)
		if n <= 0 || kind > outputGone || size > 1<<62 {
			return nil, false, errOutputs
		}
		b = b[n:]
		out := &all[i]
		out.size, out.over = int64(size), true
		switch kind {
		case outputInline:
			if size > uint64(len(b)) {
				return nil, false, errOutputs
			}
			out.mem = slices.Clone(b[:size])
			b = b[size:]
		case outputFile:
			out.path = outputPath(dir, key, i)
		case outputGone:
			gone = true
		}
	}
	if len(b) > 0 {
		return nil, false, errOutputs
	}
	return all, gone, nil
}

// formatResources writes amounts in JSON, "" for none.
func formatResources(r dag.Resources) string {
	if len(r) == 0 {
		return ""
	}
	// Names and numbers.
	text, _ := json.Marshal(r)
	return string(text)
}

func parseResources(text string) (dag.Resources, error) {
	if text == "" {
		return nil, nil
	}
	var r dag.Resources
	err := json.Unmarshal([]byte(text), &r)
	return r, err
}

func parseFailure(text string) (*wire.Failure, error) {
	if text == "" {
		return nil, nil
	}
	f := new(wire.Failure)
	err := json.Unmarshal([]byte(text), f)
	return f, err
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
