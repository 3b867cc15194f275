package streamlog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/memlog"
	"github.com/daggy-go/daggy/statelog/statelogtest"
	"github.com/daggy-go/daggy/statelog/streamlog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	t.Parallel()
	statelogtest.Run(t, statelogtest.Config{
		New: func(testing.TB) statelog.StateLogger { return streamlog.New(io.Discard, nil) },
	})
}

// A writer that fails from its n-th Write on, having written some bytes of it.
type failing struct {
	bytes.Buffer
	n, some int
	err     error
}

func (f *failing) Write(p []byte) (int, error) {
	if f.n--; f.n >= 0 {
		return f.Buffer.Write(p)
	}
	n, _ := f.Buffer.Write(p[:min(f.some, len(p))])
	return n, f.err
}

func opened() statelog.Record {
	opening := &statelog.Opening{Version: 1, Expansion: 1}
	return statelog.Record{Kind: statelog.Opened, Opened: opening}
}

func intent(task int) statelog.Record {
	return statelog.Record{Kind: statelog.Intent, Task: task, Attempt: 1}
}

func TestLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := streamlog.New(&out, nil)
	at := time.Date(2026, time.March, 1, 12, 30, 1, 500000000, time.UTC)
	done := statelog.Record{Kind: statelog.Done, Time: at, Task: 1, Attempt: 1, Seq: 99}
	_, err := log.Append(t.Context(), "r1", 0, []statelog.Record{opened(), intent(1)})
	require.NoError(t, err)
	_, err = log.Append(t.Context(), `a "b" ö`, 0, []statelog.Record{opened()})
	require.NoError(t, err)
	_, err = log.Append(t.Context(), "r1", 2, []statelog.Record{done})
	require.NoError(t, err)
	want := `{"run":"r1","seq":1,"kind":"opened","opened":{"version":1,"expansion":1}}
{"run":"r1","seq":2,"kind":"intent","task":1,"attempt":1}
{"run":"a \"b\" ö","seq":1,"kind":"opened","opened":{"version":1,"expansion":1}}
{"run":"r1","seq":3,"kind":"done","time":"2026-03-01T12:30:01.5Z","task":1,"attempt":1}
`
	require.Equal(t, strings.Split(want, "\n"), strings.Split(out.String(), "\n"))
}

// A writer sees a batch at once, and nothing of what was refused.
func TestOneWriteABatch(t *testing.T) {
	t.Parallel()
	var writes []string
	log := streamlog.New(writerFunc(func(p []byte) (int, error) {
		writes = append(writes, string(p))
		return len(p), nil
	}), nil)
	_, err := log.Append(t.Context(), "r", 0, []statelog.Record{opened(), intent(1), intent(2)})
	require.NoError(t, err)
	_, err = log.Append(t.Context(), "r", 0, []statelog.Record{opened()})
	require.ErrorIs(t, err, statelog.ErrFenced)
	_, err = log.Append(t.Context(), "r", 3, nil)
	require.NoError(t, err)
	_, err = log.Append(t.Context(), "r", 3, []statelog.Record{{Kind: 77}})
	require.Error(t, err, "it cannot be written")
	require.Len(t, statelogRead(t, log, "r"), 3, "what cannot be written is not added")
	require.Len(t, writes, 1)
	require.Equal(t, 3, strings.Count(writes[0], "\n"))
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func statelogRead(t *testing.T, log statelog.StateLogger, run string) []statelog.Record {
	t.Helper()
	var recs []statelog.Record
	for rec, err := range log.Read(t.Context(), run, 0) {
		require.NoError(t, err)
		recs = append(recs, rec)
	}
	return recs
}

func TestWriterFails(t *testing.T) {
	t.Parallel()
	full := errors.New("no space")
	for _, tc := range []struct {
		name string
		some int // bytes of the Write that fails
		err  error
		want error
	}{
		{"at once", 0, full, full},
		{"half way", 30, full, full},
		{"in silence", 30, nil, io.ErrShortWrite},
		{"after all", 1 << 20, full, full},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := &failing{n: 1, some: tc.some, err: tc.err}
			log := streamlog.New(w, nil)
			_, err := log.Append(t.Context(), "r", 0, []statelog.Record{opened()})
			require.NoError(t, err)
			require.NoError(t, log.Err())

			// The records are there; who reads back finds them.
			_, err = log.Append(t.Context(), "r", 1, []statelog.Record{intent(1), intent(2)})
			require.ErrorIs(t, err, statelog.ErrAmbiguous)
			require.ErrorIs(t, err, tc.want)
			require.ErrorIs(t, log.Err(), tc.want)
			require.Len(t, statelogRead(t, log, "r"), 3)
			written := w.String()

			// From here on nothing is added, to this run or another.
			for run, after := range map[string]uint64{"r": 3, "other": 0} {
				_, err = log.Append(t.Context(), run, after, []statelog.Record{opened()})
				require.ErrorIs(t, err, streamlog.ErrBroken)
				require.ErrorIs(t, err, tc.want)
				require.NotErrorIs(t, err, statelog.ErrAmbiguous, "nothing was added")
			}
			require.Len(t, statelogRead(t, log, "r"), 3)
			require.Equal(t, written, w.String(), "something follows half a line")
		})
	}
}

// What the inner log refuses is not in the stream, whatever the reason.
func TestInnerLogFails(t *testing.T) {
	t.Parallel()
	down := errors.New("the store is down")
	for name, fault := range map[string]statelogtest.Fault{
		"down":      {Err: down},
		"ambiguous": {Err: statelog.ErrAmbiguous, Applied: true},
		"fenced":    {Fenced: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			inner := &statelogtest.Faulty{Log: memlog.New(), OnAppend: statelogtest.At(2, fault)}
			log := streamlog.New(&out, inner)
			_, err := log.Append(t.Context(), "r", 0, []statelog.Record{opened()})
			require.NoError(t, err)
			before := out.String()
			_, err = log.Append(t.Context(), "r", 1, []statelog.Record{intent(1)})
			require.Error(t, err)
			require.Equal(t, before, out.String())
			require.NoError(t, log.Err(), "the stream is whole")
			_, err = log.Append(t.Context(), "other", 0, []statelog.Record{opened()})
			require.NoError(t, err)
		})
	}
}

func TestAbilities(t *testing.T) {
	t.Parallel()
	inner := memlog.New()
	log := streamlog.New(io.Discard, inner)
	immediate, ok := statelog.As[statelog.Immediate](log)
	require.True(t, ok)
	require.False(t, immediate.Immediate(), "a Write may wait, whatever the inner log does")
	require.Same(t, inner, log.Unwrap())
}

// Lines of many runs are whole, and those of one run in order.
func TestManyRunsWriteAtOnce(t *testing.T) {
	t.Parallel()
	const runs, batches = 20, 20
	var out bytes.Buffer
	log := streamlog.New(&out, nil)
	var wg sync.WaitGroup
	errs := make([]error, runs)
	for r := range runs {
		wg.Go(func() {
			for i := range uint64(batches) {
				recs := []statelog.Record{intent(r), intent(r)}
				_, err := log.Append(t.Context(), fmt.Sprintf("run %d", r), 2*i, recs)
				errs[r] = errors.Join(errs[r], err)
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	seqs := map[string]uint64{}
	for entry, err := range streamlog.Decode(&out) {
		require.NoError(t, err)
		seqs[entry.Run]++
		require.Equal(t, seqs[entry.Run], entry.Record.Seq, entry.Run)
		require.Equal(t, entry.Run, fmt.Sprintf("run %d", entry.Record.Task))
	}
	require.Len(t, seqs, runs)
	for run, seq := range seqs {
		require.Equal(t, uint64(2*batches), seq, run)
	}
}

func TestDecodeReadsWhatWasWritten(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := streamlog.New(&out, nil)
	want := statelogtest.Records()
	_, err := log.Append(t.Context(), "r", 0, want)
	require.NoError(t, err)
	i := 0
	for entry, err := range streamlog.Decode(iotest.OneByteReader(&out)) {
		require.NoError(t, err)
		require.Equal(t, "r", entry.Run)
		rec := want[i]
		i++
		rec.Seq = uint64(i)
		require.Equal(t, marshal(t, rec), marshal(t, entry.Record))
	}
	require.Len(t, want, i)
}

func marshal(t *testing.T, rec statelog.Record) string {
	t.Helper()
	b, err := json.Marshal(rec)
	require.NoError(t, err)
	return string(b)
}

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	const good = `{"run":"r","kind":"intent","task":0}` + "\n"
	for _, tc := range []struct {
		name, text string
		entries    int
		line       int // of the error, 0 if there is none
	}{
		{"nothing", "", 0, 0},
		{"empty lines", "\n" + good + "\r\n\n" + good, 2, 0},
		{"members in another order", `{"kind":"intent","task":0,"run":"r"}` + "\n", 1, 0},
		{"a line that is not whole", good + good + good[:10], 2, 3},
		{"a line without an end", good + strings.TrimSpace(good), 1, 2},
		{"no run", good + `{"kind":"intent"}` + "\n", 1, 2},
		{"a run that is no text", `{"run":7,"kind":"intent"}` + "\n" + good, 0, 1},
		{"no record", good + `{"run":"r"}` + "\n", 1, 2},
		{"no object", "[]\n", 0, 1},
		{"garbage", good + "Error: no space left\n" + good, 1, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			entries := 0
			var last error
			for entry, err := range streamlog.Decode(strings.NewReader(tc.text)) {
				require.NoError(t, last, "something follows an error")
				last = err
				if err == nil {
					require.Equal(t, "r", entry.Run)
					entries++
				}
			}
			require.Equal(t, tc.entries, entries)
			if tc.line == 0 {
				require.NoError(t, last)
				return
			}
			lineErr, ok := errors.AsType[*streamlog.LineError](last)
			require.True(t, ok, "%v", last)
			require.Equal(t, tc.line, lineErr.Line)
		})
	}
}

func TestDecodeSaysWhatTheReaderSays(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	text := strings.NewReader(`{"run":"r","kind":"intent"}` + "\n" + `{"run"`)
	yielded := 0
	for _, err := range streamlog.Decode(io.MultiReader(text, iotest.ErrReader(gone))) {
		if yielded++; yielded == 2 {
			require.ErrorIs(t, err, gone)
		}
	}
	require.Equal(t, 2, yielded)

	for _, err := range streamlog.Decode(strings.NewReader(`{"run"`)) {
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	}
}

func FuzzDecode(f *testing.F) {
	var out bytes.Buffer
	_, err := streamlog.New(&out, nil).Append(f.Context(), "r", 0, statelogtest.Records())
	require.NoError(f, err)
	for line := range bytes.Lines(out.Bytes()) {
		f.Add(line)
	}
	f.Add([]byte("\n\r\n{\"run\":\"\xff\",\"kind\":\"lost\"}\n{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		lines := bytes.Count(data, []byte("\n")) + 1
		for entry, err := range streamlog.Decode(bytes.NewReader(data)) {
			lines--
			require.GreaterOrEqual(t, lines, 0, "more is yielded than there are lines")
			if err == nil {
				marshal(t, entry.Record)
			}
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	b.ReportAllocs()
	inner := memlog.New()
	log := streamlog.New(io.Discard, inner)
	now := time.Now()
	recs := []statelog.Record{
		{Kind: statelog.Done, Time: now, Start: now, Task: 1, Attempt: 1},
		{Kind: statelog.Intent, Time: now, Task: 2, Attempt: 1, Node: "local"},
	}
	var after uint64
	for b.Loop() {
		end, err := log.Append(b.Context(), "run", after, recs)
		if err != nil {
			b.Fatal(err)
		}
		if after = end; after > 4_000_000 {
			inner.Remove("run")
			after = 0
		}
	}
	records := float64(b.N) * float64(len(recs))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/records, "ns/record")
}

func Example() {
	log := streamlog.New(os.Stdout, nil)
	_, err := log.Append(context.Background(), "r1", 0, []statelog.Record{
		{Kind: statelog.Opened, Opened: &statelog.Opening{Version: statelog.Version, Expansion: 1}},
		{Kind: statelog.Intent, Task: 0, Attempt: 1, Node: "n1"},
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// {"run":"r1","seq":1,"kind":"opened","opened":{"version":1,"expansion":1}}
	// {"run":"r1","seq":2,"kind":"intent","task":0,"attempt":1,"node":"n1"}
}

func ExampleDecode() {
	stream := strings.NewReader(`{"run":"r1","seq":2,"kind":"intent","task":0,"attempt":1}
{"run":"r1","seq":3,"kind":"done","task":0,"attempt":1,"class":"timeLimit"}
`)
	for entry, err := range streamlog.Decode(stream) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(entry.Run, entry.Record.Seq, entry.Record.Kind, entry.Record.Class)
	}
	// Output:
	// r1 2 intent success
	// r1 3 done timeLimit
}
