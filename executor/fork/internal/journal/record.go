package journal

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/daggy-go/daggy/executor/fork/internal/wire"
)

// Version of the format.
const Version = 1

// magic starts the file, followed by the version and a checksum of both.
const magic = "daggyjr\x00"

const fileHeader = len(magic) + 8

// kind says what a record means.
type kind byte

const (
	kindBoot      kind = 1 + iota // a supervisor begins: boot, host, next slot
	kindClaim                     // slot, key, grace
	kindStarted                   // key, process
	kindWithdrawn                 // key: it did not start after all
	kindEnded                     // key, outcome
	kindLost                      // key, text
	kindClosed                    // key: it never starts
	kindForgotten                 // keys
	kindUsed                      // a series and its ranges
	kinds
)

// A record is a length, a checksum of all that follows it, the kind, and a body.
const (
	recordHeader = 8
	maxRecord    = 1 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendRecord appends a record to b.
func appendRecord(b []byte, k kind, body []byte) []byte {
	at := len(b)
	b = append(b, make([]byte, recordHeader)...)
	b = append(b, byte(k))
	b = append(b, body...)
	payload := b[at+recordHeader:]
	binary.LittleEndian.PutUint32(b[at:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(b[at+4:], crc32.Checksum(payload, castagnoli))
	return b
}

// parseRecord returns the first record of b, and its length. ok is false if there
// is none, or it is damaged.
func parseRecord(b []byte) (k kind, body []byte, size int, ok bool) {
	if len(b) < recordHeader {
		return 0, nil, 0, false
	}
	n := int(binary.LittleEndian.Uint32(b))
	if n < 1 || n > maxRecord || n > len(b)-recordHeader {
		return 0, nil, 0, false
	}
	payload := b[recordHeader : recordHeader+n]
	if crc32.Checksum(payload, castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
		return 0, nil, 0, false
	}
	return kind(payload[0]), payload[1:], recordHeader + n, true
}

// appendHeader appends the header of the file.
func appendHeader(b []byte) []byte {
	at := len(b)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, Version)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[at:], castagnoli))
}

// parseHeader returns the version.
func parseHeader(b []byte) (version uint32, ok bool) {
	if len(b) < fileHeader || string(b[:len(magic)]) != magic {
		return 0, false
	}
	sum := binary.LittleEndian.Uint32(b[len(magic)+4:])
	return binary.LittleEndian.Uint32(b[len(magic):]),
		crc32.Checksum(b[:len(magic)+4], castagnoli) == sum
}

func claimBody(key string, e *Entry) []byte {
	b := wire.AppendString(nil, key)
	b = wire.AppendUint(b, e.Slot)
	return wire.AppendUint(b, uint64(max(e.Grace, 0)))
}

func startedBody(key string, p Process) []byte {
	b := wire.AppendString(nil, key)
	b = wire.AppendUint(b, uint64(p.PID))
	return wire.AppendUint(b, p.ID)
}

func lostBody(key, text string) []byte {
	return wire.AppendString(wire.AppendString(nil, key), text)
}

// apply changes the state by a record that was read at an offset.
func (j *Journal) apply(k kind, body []byte, at extent) error {
	switch k {
	case kindForgotten:
		return j.applyForgotten(body)
	case kindUsed:
		return j.used.AddRanges(body)
	case kindBoot:
		return j.applyBoot(body)
	case kindClaim, kindStarted, kindWithdrawn, kindEnded, kindLost, kindClosed:
		return j.applyKey(k, body, at)
	default:
		return wire.ErrMalformed
	}
}

func (j *Journal) applyBoot(body []byte) error {
	d := wire.NewDecoder(body)
	j.before = Boot{ID: d.String(), Host: d.String()}
	j.slot = max(j.slot, d.Uint())
	return d.End()
}

func (j *Journal) applyForgotten(body []byte) error {
	keys, err := wire.DecodeKeys(body)
	if err != nil {
		return err
	}
	for _, key := range keys {
		delete(j.entries, key)
		j.used.Add(key)
	}
	return nil
}

// applyKey is for the records of one key.
func (j *Journal) applyKey(k kind, body []byte, at extent) error {
	d := wire.NewDecoder(body)
	key := d.String()
	e := j.entries[key]
	if e == nil {
		e = new(Entry)
	}
	switch k {
	case kindClaim:
		e.State, e.Slot, e.Grace = Claimed, d.Uint(), time.Duration(d.Size())
		j.slot = max(j.slot, e.Slot)
	case kindStarted:
		e.Process = Process{PID: int(d.Size()), ID: d.Uint()}
	case kindLost:
		e.State, e.Text = Lost, d.String()
	case kindClosed:
		e.State = Closed
	case kindEnded:
		e.State = Ended
		outcome := d.Rest()
		e.at = extent{at.offset + int64(len(body)-len(outcome)), len(outcome)}
		if _, err := wire.DecodeOutcome(outcome); err != nil {
			return err
		}
	default: // withdrawn
	}
	if err := d.End(); err != nil {
		return err
	}
	if k == kindWithdrawn {
		delete(j.entries, key)
		return nil
	}
	j.entries[key] = e
	return nil
}
