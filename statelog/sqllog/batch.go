package sqllog

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"math/rand/v2"
	"strings"
	"unicode/utf8"

	"github.com/daggy-go/daggy/statelog"
)

const (
	// batchVersion is the version of the column "data". SCHEMA.md draws it.
	batchVersion = 1
	// maxBatch is what databases take in one value without a second thought.
	maxBatch = 256 << 20
	// sumSize is the size of the checksum at the end of a batch.
	sumSize = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A batch is what one Append adds, ready for the database.
type batch struct {
	run         string
	after, last uint64
	data        []byte
	// token tells this append from all others.
	token int64

	// state is what the batch makes of the run, "" if it leaves it alone. Opened
	// and closed go with it.
	state          string
	opened, closed moment
	// tags is a JSON object, for a run that is opened.
	tags string
}

func newBatch(run string, after uint64, recs []statelog.Record) (*batch, error) {
	b := &batch{run: run, after: after, last: after + uint64(len(recs))}
	// The numbers only have to differ; 0 means none.
	b.token = 1 + rand.Int64N(1<<62)
	info := statelog.RunInfo{Run: run}
	for i := range recs {
		info.Add(&recs[i])
	}
	b.state = info.State
	b.opened, b.closed = momentOf(info.Opened), momentOf(info.Closed)
	if err := b.describe(info); err != nil {
		return nil, err
	}
	var err error
	b.data, err = encode(run, after, recs)
	return b, err
}

// runArgs are the arguments of the statement that changes the row of the run.
func (b *batch) runArgs() []any {
	closed, closedNanos := b.closed.columns()
	switch {
	case b.after == 0:
		return []any{
			b.run, int64(b.last), b.state, b.opened.seconds, b.opened.nanos,
			closed, closedNanos, b.tags, b.token,
		}
	case b.state != "":
		return []any{
			b.run, int64(b.after), int64(b.last), b.token, b.state, closed, closedNanos,
		}
	}
	return []any{b.run, int64(b.after), int64(b.last), b.token}
}

func (b *batch) describe(info statelog.RunInfo) error {
	texts := []string{b.run, b.state}
	for name, value := range info.Tags {
		texts = append(texts, name, value)
	}
	for _, text := range texts {
		if err := checkText("text", text); err != nil {
			return err
		}
	}
	tags := info.Tags
	if tags == nil {
		tags = map[string]string{}
	}
	j, err := json.Marshal(tags)
	b.tags = string(j)
	return err
}

// checkText refuses what a text column cannot hold.
func checkText(what, text string) error {
	switch {
	case !utf8.ValidString(text):
		return fmt.Errorf("%s %q is not UTF-8", what, text)
	case strings.ContainsRune(text, 0):
		return fmt.Errorf("%s %q has a NUL", what, text)
	}
	return nil
}

// encode returns the records in the form that SCHEMA.md draws.
func encode(run string, after uint64, recs []statelog.Record) ([]byte, error) {
	data := make([]byte, 1, 64+32*len(recs))
	data[0] = batchVersion
	var one []byte
	var err error
	for i := range recs {
		if one, err = recs[i].AppendBinary(one[:0]); err != nil {
			return nil, err
		}
		data = binary.AppendUvarint(data, uint64(len(one)))
		data = append(data, one...)
	}
	data = binary.BigEndian.AppendUint32(data, checksum(run, after, data))
	if len(data) > maxBatch {
		return nil, fmt.Errorf("%d records are %d bytes, of %d at most",
			len(recs), len(data), maxBatch)
	}
	return data, nil
}

// checksum covers the place of a batch as well, so that a row that has strayed
// is noticed.
func checksum(run string, after uint64, data []byte) uint32 {
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], after)
	sum := crc32.Checksum([]byte(run), castagnoli)
	sum = crc32.Update(sum, castagnoli, number[:])
	return crc32.Update(sum, castagnoli, data)
}

var (
	errCutShort = errors.New("it is cut short")
	errChecksum = errors.New("the checksum is another")
)

// decode yields the records of a batch with their numbers. An error is the last
// thing it yields, and is about the record of the number beside it.
func decode(run string, after uint64, data []byte) iter.Seq2[statelog.Record, error] {
	return func(yield func(statelog.Record, error) bool) {
		var decoder statelog.Decoder
		seq := after + 1
		rest, err := open(run, after, data)
		for err == nil && len(rest) > 0 {
			var next []byte
			var rec *statelog.Record
			if next, rest, err = cut(rest); err == nil {
				rec, err = decoder.Decode(next)
			}
			if err == nil {
				rec.Seq = seq
				if !yield(*rec, nil) {
					return
				}
				seq++
			}
		}
		if err != nil {
			yield(statelog.Record{Seq: seq}, err)
		}
	}
}

// open checks a batch and returns what is between version and checksum.
func open(run string, after uint64, data []byte) ([]byte, error) {
	switch {
	case len(data) < 1+sumSize:
		return nil, errCutShort
	case data[0] > batchVersion:
		return nil, &VersionError{What: "a batch", Version: int(data[0]), Known: batchVersion}
	}
	body, sum := data[:len(data)-sumSize], data[len(data)-sumSize:]
	if binary.BigEndian.Uint32(sum) != checksum(run, after, body) {
		return nil, errChecksum
	}
	return body[1:], nil
}

// cut splits off a record that is preceded by its length.
func cut(data []byte) (rec, rest []byte, err error) {
	size, n := binary.Uvarint(data)
	if n <= 0 || size > uint64(len(data)-n) {
		return nil, nil, errCutShort
	}
	data = data[n:]
	return data[:size:size], data[size:], nil
}
