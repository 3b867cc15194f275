package redislog

import (
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/statelogtest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// decoded returns the records of a batch after the given number.
func decoded(
	t *testing.T, run string, at place, data []byte, after uint64,
) ([]statelog.Record, error) {
	t.Helper()
	var recs []statelog.Record
	_, err := decodeBatch(run, at, string(data), after, func(rec statelog.Record) bool {
		recs = append(recs, rec)
		return true
	})
	return recs, err
}

// lines are all that there is to say of records.
func lines(t *testing.T, recs []statelog.Record) []string {
	t.Helper()
	var lines []string
	for i := range recs {
		b, err := recs[i].AppendJSON(nil)
		require.NoError(t, err)
		lines = append(lines, string(b))
	}
	return lines
}

// A batch of this version is read for ever.
func TestGoldenBatch(t *testing.T) {
	t.Parallel()
	recs := statelogtest.Records()
	at := place{last: 6 + uint64(len(recs)), count: uint64(len(recs))}
	golden := filepath.Join("testdata", "batch-1.hex")
	if *update {
		data, err := appendBatch(nil, "run", at, recs)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(golden, []byte(hex.EncodeToString(data)+"\n"), 0o600))
	}
	text, err := os.ReadFile(golden)
	require.NoError(t, err)
	data, err := hex.DecodeString(strings.TrimSpace(string(text)))
	require.NoError(t, err)

	got, err := decoded(t, "run", at, data, 0)
	require.NoError(t, err)
	for i := range recs {
		recs[i].Seq = at.first() + uint64(i)
	}
	require.Equal(t, lines(t, recs), lines(t, got))

	rest, err := decoded(t, "run", at, data, at.last-2)
	require.NoError(t, err)
	require.Equal(t, lines(t, recs[len(recs)-2:]), lines(t, rest), "after a number")
}

func TestDamagedBatchIsAnError(t *testing.T) {
	t.Parallel()
	recs := statelogtest.Records()[:4]
	at := place{last: 4, count: 4}
	data, err := appendBatch(nil, "run", at, recs)
	require.NoError(t, err)
	for i := range data {
		flipped := append([]byte(nil), data...)
		flipped[i] ^= 0x10
		_, err := decoded(t, "run", at, flipped, 0)
		require.Error(t, err, "byte %d is flipped", i)
		_, err = decoded(t, "run", at, data[:i], 0)
		require.Error(t, err, "cut at byte %d", i)
	}
	_, err = decoded(t, "nur", at, data, 0)
	require.Error(t, err, "in another run")
	_, err = decoded(t, "run", place{last: 5, count: 4}, data, 0)
	require.Error(t, err, "at another place")
	_, err = decoded(t, "run", place{last: 4, count: 3}, data, 0)
	require.Error(t, err, "of another length")
}

// Whoever can write to the server can write a checksum too.
func FuzzBatch(f *testing.F) {
	at := place{last: 4, count: 4}
	data, err := appendBatch(nil, "run", at, statelogtest.Records()[:4])
	require.NoError(f, err)
	f.Add("run", "4-4", string(data[batchHeader:]))
	f.Add("run", "2-1", "\x00")
	f.Add("", "18446744073709551615-1", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
	f.Fuzz(func(t *testing.T, run, id, records string) {
		at, err := parsePlace(id)
		if err != nil {
			return
		}
		sum := sumOf(run, at, []byte(records))
		data := string([]byte{
			batchVersion, byte(sum), byte(sum >> 8), byte(sum >> 16), byte(sum >> 24),
		}) + records
		seq := at.first()
		_, _ = decodeBatch(run, at, data, 0, func(rec statelog.Record) bool {
			require.Equal(t, seq, rec.Seq)
			seq++
			return true
		})
		require.LessOrEqual(t, seq-at.first(), at.count)
	})
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"1-1", "7-3", "18446744073709551615-18446744073709551615"} {
		at, err := parsePlace(id)
		require.NoError(t, err)
		require.Equal(t, id, at.String())
	}
	for _, id := range []string{"", "1", "a-1", "1-a", "1-0", "2-3", "0-0", "-1-1"} {
		_, err := parsePlace(id)
		require.Error(t, err, "%q", id)
	}
}
