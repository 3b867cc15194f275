package sqllog

import (
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/statelogtest"
)

var update = flag.Bool("update", false, "write the golden batch, if there is none")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// numbered returns the texts of records that follow the one of that number.
func numbered(recs []statelog.Record, after uint64) []string {
	var texts []string
	for i, rec := range recs {
		rec.Seq = after + uint64(i) + 1
		b, err := rec.AppendJSON(nil)
		if err != nil {
			panic(err)
		}
		texts = append(texts, string(b))
	}
	return texts
}

func decoded(run string, after uint64, data []byte) (recs []statelog.Record, err error) {
	for rec, err := range decode(run, after, data) {
		if err != nil {
			return recs, err
		}
		recs = append(recs, rec)
	}
	return recs, nil
}

func TestRecordsComeBack(t *testing.T) {
	t.Parallel()
	want := statelogtest.Records()
	data, err := encode("run", 7, want)
	require.NoError(t, err)
	got, err := decoded("run", 7, data)
	require.NoError(t, err)
	require.Equal(t, uint64(8), got[0].Seq)
	require.Equal(t, numbered(want, 7), numbered(got, 7))
}

// golden are the records of the golden batch, which are never changed.
func golden() []statelog.Record {
	at := time.Date(2026, time.March, 1, 12, 30, 0, 123456789, time.UTC)
	d := &dag.DAG{Tasks: []dag.Task{{Name: "a", Job: dag.Command("true")}}}
	return []statelog.Record{
		{
			Kind: statelog.Opened, Time: at, Engine: "0a1b2c3d",
			Opened: &statelog.Opening{
				Version: 1, Expansion: 1, KeyPrefix: "k7-", Seed: 1<<64 - 3,
				Definition: func() *dag.DAG { return d }, Tags: map[string]string{"team": "blue"},
			},
		},
		{Kind: statelog.Intent, Time: at.Add(1), Attempt: 1, Node: "n1"},
		{Kind: statelog.Done, Time: at.Add(2), Attempt: 1, Start: at, Delay: -1},
		{Kind: statelog.Closed, Time: at.Add(3), State: "completed"},
	}
}

// What version 1 has written is read for ever.
func TestGoldenBatch(t *testing.T) {
	t.Parallel()
	const run, after = "run", 0
	path := filepath.Join("testdata", "batch.v1.hex")
	want := golden()
	if _, err := os.Stat(path); *update && os.IsNotExist(err) {
		data, err := encode(run, after, want)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, []byte(lines(data)), 0o600))
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	data, err := hex.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
	require.NoError(t, err)
	got, err := decoded(run, after, data)
	require.NoError(t, err)
	require.Equal(t, numbered(want, after), numbered(got, after))
}

func lines(data []byte) string {
	var b strings.Builder
	for text := hex.EncodeToString(data); text != ""; {
		n := min(len(text), 100)
		b.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	return b.String()
}

func TestDamageIsFound(t *testing.T) {
	t.Parallel()
	data, err := encode("run", 7, statelogtest.Records()[:4])
	require.NoError(t, err)
	for n := range data {
		_, err := decoded("run", 7, data[:n])
		require.Error(t, err, "cut to %d bytes", n)
		flipped := append([]byte{}, data...)
		flipped[n] ^= 0x10
		recs, err := decoded("run", 7, flipped)
		require.Error(t, err, "byte %d flipped", n)
		require.Empty(t, recs, "byte %d flipped", n)
	}
	_, err = decoded("run", 8, data)
	require.ErrorIs(t, err, errChecksum, "another place in the run")
	_, err = decoded("nur", 7, data)
	require.ErrorIs(t, err, errChecksum, "another run")
}

func TestNewerBatchIsRefused(t *testing.T) {
	t.Parallel()
	data, err := encode("run", 7, statelogtest.Records())
	require.NoError(t, err)
	data[0] = batchVersion + 1
	_, err = decoded("run", 7, data)
	var newer *VersionError
	require.ErrorAs(t, err, &newer)
	require.Equal(t, &VersionError{What: "a batch", Version: 2, Known: 1}, newer)
}

func FuzzDecode(f *testing.F) {
	data, err := encode("run", 7, statelogtest.Records())
	require.NoError(f, err)
	f.Add(data[1 : len(data)-sumSize])
	f.Add([]byte{})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, body []byte) {
		data := append([]byte{batchVersion}, body...)
		sum := checksum("run", 7, data)
		data = append(data, byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))
		recs, err := decoded("run", 7, data)
		if err != nil {
			return
		}
		again, err := encode("run", 7, recs)
		require.NoError(t, err)
		same, err := decoded("run", 7, again)
		require.NoError(t, err)
		require.Len(t, same, len(recs))
	})
}

func TestBatchSaysWhatItMakesOfTheRun(t *testing.T) {
	t.Parallel()
	recs := statelogtest.Records()
	b, err := newBatch("run", 0, recs[:1])
	require.NoError(t, err)
	require.Equal(t, statelog.Running, b.state)
	require.JSONEq(t, `{"team":"blue"}`, b.tags)
	require.True(t, b.opened.time().Equal(recs[0].Time))
	require.True(t, b.closed.zero())
	require.Positive(t, b.token)

	b, err = newBatch("run", 1, recs[1:3])
	require.NoError(t, err)
	require.Empty(t, b.state, "it leaves the state alone")

	b, err = newBatch("run", 3, []statelog.Record{{Kind: statelog.Closed, State: "failed"}})
	require.NoError(t, err)
	require.Equal(t, "failed", b.state)
}

func TestTextsThatNoColumnTakes(t *testing.T) {
	t.Parallel()
	tagged := func(name, value string) []statelog.Record {
		tags := map[string]string{name: value}
		return []statelog.Record{{Kind: statelog.Opened, Opened: &statelog.Opening{Tags: tags}}}
	}
	for name, bad := range map[string]string{"NUL": "a\x00b", "not UTF-8": "a\xffb"} {
		_, err := newBatch(bad, 0, nil)
		require.Error(t, err, "run with %s", name)
		_, err = newBatch("run", 0, tagged(bad, "value"))
		require.Error(t, err, "tag with %s", name)
		_, err = newBatch("run", 0, tagged("name", bad))
		require.Error(t, err, "value with %s", name)
	}
	_, err := newBatch("run", 0, tagged("näme", "välue"))
	require.NoError(t, err)
}
