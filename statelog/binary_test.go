package statelog_test

import (
	"bytes"
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/statelogtest"
)

var (
	_ encoding.BinaryAppender    = (*statelog.Record)(nil)
	_ encoding.BinaryUnmarshaler = (*statelog.Record)(nil)
)

// golden has records that version 1 wrote, each with what it says in JSON, which
// are to be read for ever: lines are added, and never altered.
const golden = "testdata/records.v1.txt"

var update = flag.Bool("update", false, "add golden records that are missing")

func encode(tb testing.TB, rec *statelog.Record) []byte {
	tb.Helper()
	b, err := rec.AppendBinary(nil)
	require.NoError(tb, err)
	return b
}

// odd are records that no engine makes and that come back all the same.
func odd() []statelog.Record {
	far := time.Date(3026, time.March, 1, 12, 30, 0, 5, time.UTC)
	old := time.Date(12, time.March, 1, 12, 30, 0, 999999999, time.UTC)
	epoch := time.Date(2026, time.March, 1, 12, 30, 0, 0, time.UTC)
	return []statelog.Record{
		{Kind: statelog.Closed},
		{Kind: statelog.Done, Time: far, Start: old, Delay: -2, Output: []byte{}},
		{Kind: statelog.Done, Time: time.Unix(0, 0), Start: far, Result: &executor.Result{}},
		{Kind: statelog.Done, Start: epoch, Output: []byte("\xff\x00")},
		{Kind: statelog.Intent, Time: epoch, Task: -1 << 31, Instance: 1<<31 - 1, Attempt: -1},
		{Kind: statelog.Lost, Time: epoch, Result: &executor.Result{Start: old, End: far}},
		{Kind: statelog.Lost, Result: &executor.Result{Start: epoch, End: epoch.Add(-1)}},
		{Kind: statelog.Opened, Opened: &statelog.Opening{}},
		{
			Kind: statelog.Done, Time: time.Unix(9223372035, 1).UTC(),
			Start: time.Unix(-9223372035, 1).UTC(), Delay: 1<<63 - 1,
		},
	}
}

// L1: what is written is read back, every field of every kind, whatever the
// Record had before.
func TestBinaryIsReadBack(t *testing.T) {
	t.Parallel()
	var decoder statelog.Decoder
	for _, want := range append(statelogtest.Records(), odd()...) {
		b := encode(t, &want)
		var got statelog.Record
		require.NoError(t, got.UnmarshalBinary(b))
		requireSame(t, want, got)
		decoded, err := decoder.Decode(b)
		require.NoError(t, err)
		requireSame(t, want, *decoded)
		require.Equal(t, b, encode(t, &got), "the same record has the same bytes")
	}
}

// A decoder leaves nothing of one record in another, whatever the two are and
// whether they were understood or not.
func TestDecoderMixesNothing(t *testing.T) {
	t.Parallel()
	recs := append(statelogtest.Records(), odd()...)
	for _, before := range recs {
		for _, want := range recs {
			var decoder statelog.Decoder
			_, err := decoder.Decode(encode(t, &before))
			require.NoError(t, err)
			decoded, err := decoder.Decode(encode(t, &want))
			require.NoError(t, err)
			requireSame(t, want, *decoded)
			_, err = decoder.Decode(append(encode(t, &before), 0))
			require.Error(t, err)
			decoded, err = decoder.Decode(encode(t, &want))
			require.NoError(t, err)
			requireSame(t, want, *decoded)
		}
	}
}

// What was yielded is never altered: results are not used again, and what they
// share stays.
func TestDecoderKeepsResults(t *testing.T) {
	t.Parallel()
	var decoder statelog.Decoder
	var got, want []*executor.Result
	for i := range 200 {
		r := &executor.Result{
			ExitCode: i % 3, MaxRSS: int64(i), Node: "n" + strconv.Itoa(i%2),
			Message: strconv.Itoa(i / 50), Unenforced: []string{"gpus", strconv.Itoa(i / 70)},
		}
		rec := statelog.Record{Kind: statelog.Done, Node: "n1", Result: r}
		decoded, err := decoder.Decode(encode(t, &rec))
		require.NoError(t, err)
		got, want = append(got, decoded.Result), append(want, r)
	}
	require.Equal(t, want, got)
}

// The two forms say the same of a record.
func TestBinaryAgreesWithJSON(t *testing.T) {
	t.Parallel()
	for _, rec := range append(statelogtest.Records(), odd()...) {
		want, err := rec.AppendJSON(nil)
		require.NoError(t, err)
		var got statelog.Record
		require.NoError(t, got.UnmarshalBinary(encode(t, &rec)))
		text, err := got.AppendJSON(nil)
		require.NoError(t, err)
		require.Equal(t, string(want), string(text))
	}
}

// The number is the log's.
func TestBinaryLeavesSeqAlone(t *testing.T) {
	t.Parallel()
	numbered := statelog.Record{Seq: 7, Kind: statelog.Closed}
	plain := statelog.Record{Kind: statelog.Closed}
	require.Equal(t, encode(t, &plain), encode(t, &numbered))
	got := statelog.Record{Seq: 9, Reason: "old"}
	require.NoError(t, got.UnmarshalBinary(encode(t, &numbered)))
	require.Equal(t, statelog.Record{Seq: 9, Kind: statelog.Closed}, got)
}

// Whoever decodes may use the bytes again.
func TestBinaryRetainsNothing(t *testing.T) {
	t.Parallel()
	for _, want := range statelogtest.Records() {
		b := encode(t, &want)
		var got statelog.Record
		require.NoError(t, got.UnmarshalBinary(b))
		clear(b)
		requireSame(t, want, got)
	}
}

// Records of version 1 are read for ever, and say what they said.
func TestGoldenRecords(t *testing.T) {
	t.Parallel()
	if *update {
		addGolden(t)
	}
	text, err := os.ReadFile(golden)
	require.NoError(t, err)
	kinds := map[statelog.Kind]bool{}
	for line := range strings.Lines(string(text)) {
		code, want, _ := strings.Cut(strings.TrimSpace(line), " ")
		b, err := hex.DecodeString(code)
		require.NoError(t, err)
		var got statelog.Record
		require.NoError(t, got.UnmarshalBinary(b), line)
		said, err := got.AppendJSON(nil)
		require.NoError(t, err)
		require.Equal(t, want, string(said))
		kinds[got.Kind] = true
	}
	for _, rec := range statelogtest.Records() {
		require.True(t, kinds[rec.Kind], "no golden record is %s, run with -update", rec.Kind)
	}
}

// addGolden adds the records that are new.
func addGolden(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(golden)
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	for _, rec := range append(statelogtest.Records(), odd()...) {
		said, err := rec.AppendJSON(nil)
		require.NoError(t, err)
		line := fmt.Sprintf("%x %s\n", encode(t, &rec), said)
		if !bytes.Contains(text, []byte(line)) {
			text = append(text, line...)
		}
	}
	require.NoError(t, os.WriteFile(golden, text, 0o600))
}

// What cannot be expressed is refused and leaves nothing behind.
func TestBinaryRefusesToWrite(t *testing.T) {
	t.Parallel()
	for name, rec := range map[string]statelog.Record{
		"no kind":            {},
		"a kind that is new": {Kind: 12},
		"a class":            {Kind: statelog.Done, Class: 99},
		"a decision":         {Kind: statelog.Decided, Decision: 99},
	} {
		b, err := rec.AppendBinary([]byte("before"))
		require.Error(t, err, name)
		require.Equal(t, "before", string(b), name)
	}
}

// What is not understood as a whole is not understood.
func TestBinaryRefusesToRead(t *testing.T) {
	t.Parallel()
	uvarint := func(head byte, bits uint64, rest ...byte) []byte {
		return append(binary.AppendUvarint([]byte{head}, bits), rest...)
	}
	for name, b := range map[string][]byte{
		"nothing":              {},
		"no parts":             {0x13},
		"version 0":            {0x03, 0},
		"version 2":            {0x23, 0},
		"no kind":              {0x10, 0},
		"a kind that is new":   {0x1c, 0},
		"parts that are new":   uvarint(0x13, 1<<21),
		"two times":            uvarint(0x13, 1|1<<19, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0),
		"a class that is new":  uvarint(0x15, 1<<7, 99),
		"too many nanoseconds": uvarint(0x13, 1<<19, 0, 0x80, 0x94, 0xeb, 0xdc, 0x03),
		"a text past the end":  uvarint(0x13, 1<<6, 5, 'n'),
		"result parts":         uvarint(0x15, 1<<8, 0x80, 0x80, 0x01),
		"pools for ever":       uvarint(0x12, 1<<17, 0xff, 0xff, 0xff, 0xff, 0x0f),
		"flags that are new":   uvarint(0x12, 1<<17, 1, 0, 0, 2),
		"more than one":        {0x13, 0, 0x13, 0},
	} {
		require.Error(t, new(statelog.Record).UnmarshalBinary(b), name)
	}
	for _, rec := range statelogtest.Records() {
		b := encode(t, &rec)
		for n := range b {
			require.Error(t, new(statelog.Record).UnmarshalBinary(b[:n]), "%d of %x", n, b)
		}
	}
}

// noop are the records of a task that does nothing.
func noop() (intent, done statelog.Record) {
	at := time.Date(2026, time.March, 1, 12, 30, 0, 123456789, time.UTC)
	intent = statelog.Record{
		Kind: statelog.Intent, Time: at, Task: 40_000, Instance: 900_000, Attempt: 1,
	}
	done = intent
	done.Kind, done.Start, done.Delay = statelog.Done, at, -1
	done.Time = at.Add(1500 * time.Nanosecond)
	return intent, done
}

// Records are many: what each takes is part of the contract.
func TestBinaryIsSmall(t *testing.T) {
	intent, done := noop()
	size := len(encode(t, &intent)) + len(encode(t, &done))
	require.LessOrEqual(t, size, 40, "bytes of an intent and a done")

	buf, b := make([]byte, 0, 100), encode(t, &done)
	var decoder statelog.Decoder
	require.Zero(t, testing.AllocsPerRun(100, func() {
		buf, _ = intent.AppendBinary(buf[:0])
		buf, _ = done.AppendBinary(buf[:0])
		_, _ = decoder.Decode(b)
	}), "allocations")
}

// FuzzRecordBinary: nothing panics, and what is read can be written and read
// again and is the same.
func FuzzRecordBinary(f *testing.F) {
	for _, rec := range append(statelogtest.Records(), odd()...) {
		f.Add(encode(f, &rec))
	}
	f.Add([]byte("\x1a\x81\x80\b00000000\x00")) // has pools, of which there are none
	f.Fuzz(func(t *testing.T, b []byte) {
		kept := bytes.Clone(b)
		var rec, again statelog.Record
		var decoder statelog.Decoder
		last := statelogtest.Records()[3]
		_, err := decoder.Decode(encode(t, &last))
		require.NoError(t, err)
		decoded, err := decoder.Decode(b)
		if rec.UnmarshalBinary(b) != nil {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		requireSame(t, rec, *decoded)
		require.Equal(t, kept, b)
		require.NoError(t, again.UnmarshalBinary(encode(t, &rec)))
		requireSame(t, rec, again)
		require.Equal(t, encode(t, &rec), encode(t, &again))
	})
}

func BenchmarkRecordBinary(b *testing.B) {
	intent, done := noop()
	failed := statelogtest.Records()[3]
	for _, bc := range []struct {
		name string
		rec  statelog.Record
	}{{"intent", intent}, {"done", done}, {"failed", failed}} {
		data := encode(b, &bc.rec)
		b.Run("encode/"+bc.name, func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 1000)
			for b.Loop() {
				buf, _ = bc.rec.AppendBinary(buf[:0])
			}
			b.ReportMetric(float64(len(buf)), "B")
		})
		b.Run("decode/"+bc.name, func(b *testing.B) {
			b.ReportAllocs()
			var d statelog.Decoder
			for b.Loop() {
				if _, err := d.Decode(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
