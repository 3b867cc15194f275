package filelog

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/statelogtest"
)

// What version 1 wrote is to be read for ever. closed was closed, crashed is as a
// kill left it.
var goldens = []string{"testdata/v1/closed", "testdata/v1/crashed"}

// history is what both have: a line for each record.
const history = "testdata/v1/history.txt"

var update = flag.Bool("update", false, "write the golden logs, if there are none")

// goldenRuns are the runs of a golden log, and the sizes of their batches.
var goldenRuns = []struct {
	run   string
	sizes []int
}{
	{"2026-03-01/nightly", []int{1, 3, 2, 8, 1}}, // a name that is no name of a file
	{"blue", []int{2, 2, 2}},
	{"kinds", nil}, // those of statelogtest, together
	{"last", []int{1, 1, 4}},
}

func goldenRecords(i int) [][]statelog.Record {
	if goldenRuns[i].sizes == nil {
		return [][]statelog.Record{statelogtest.Records()}
	}
	n := 0
	var all [][]statelog.Record
	for _, size := range goldenRuns[i].sizes {
		var recs []statelog.Record
		for range size {
			recs = append(recs, record(n))
			n++
		}
		all = append(all, recs)
	}
	return all
}

// writeGolden writes a log to a directory that is not there yet.
func writeGolden(t *testing.T, dir string) {
	t.Helper()
	if _, err := os.Stat(dir); err == nil {
		return
	}
	log, err := Open(t.Context(), dir, Config{SegmentSize: 1000})
	require.NoError(t, err)
	for i, g := range goldenRuns {
		after := uint64(0)
		for _, recs := range goldenRecords(i) {
			after, err = log.Append(t.Context(), g.run, after, recs)
			require.NoError(t, err)
		}
	}
	if strings.HasSuffix(dir, "crashed") {
		log.dirty = false // Close does not say that this is the end
	}
	require.NoError(t, log.Close())
	require.NoError(t, os.Remove(filepath.Join(dir, lockName)))
}

// writeHistory writes what is in the golden logs, unless it is known.
func writeHistory(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(history); err == nil {
		return
	}
	log := openOn(t, golden(t, goldens[0]))
	var lines strings.Builder
	for _, g := range goldenRuns {
		for _, text := range read(t, log, g.run) {
			fmt.Fprintf(&lines, "%s\t%s\n", g.run, text)
		}
	}
	require.NoError(t, log.Close())
	require.NoError(t, os.WriteFile(history, []byte(lines.String()), 0o600))
}

// It is not parallel, so it is over before those that read them begin.
func TestGoldenLogsAreThere(t *testing.T) {
	if *update {
		for _, dir := range goldens {
			writeGolden(t, dir)
		}
		writeHistory(t)
	}
	require.FileExists(t, history)
}

// golden returns a disk with a golden log.
func golden(t *testing.T, dir string) *disk {
	t.Helper()
	names, err := os.ReadDir(dir)
	require.NoError(t, err)
	d := newDisk()
	for _, n := range names {
		data, err := os.ReadFile(filepath.Join(dir, n.Name()))
		require.NoError(t, err)
		d.names[n.Name()] = &inode{name: n.Name(), data: data, durable: data}
	}
	require.Greater(t, len(d.segments()), 1)
	return d
}

// goldenTexts returns what the golden logs have of each run, batch by batch.
func goldenTexts(t *testing.T) map[string][][]string {
	t.Helper()
	text, err := os.ReadFile(history)
	require.NoError(t, err)
	texts := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		run, text, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		require.True(t, ok, line)
		texts[run] = append(texts[run], text)
	}
	want := map[string][][]string{}
	for _, g := range goldenRuns {
		all := texts[g.run]
		for _, size := range g.sizes {
			want[g.run] = append(want[g.run], all[:size])
			all = all[size:]
		}
		if len(all) > 0 {
			want[g.run] = append(want[g.run], all)
		}
	}
	return want
}

func TestGoldenLogs(t *testing.T) {
	t.Parallel()
	for _, dir := range goldens {
		log := openOn(t, golden(t, dir))
		require.Equal(t, Found{}, log.Found(), dir)
		requireGolden(t, log, goldenTexts(t), 0)
		require.NoError(t, log.Close())
	}
}

// requireGolden requires the golden runs, apart from the last batches that are
// cut off of the last run.
func requireGolden(t *testing.T, log *Log, want map[string][][]string, cut int) {
	t.Helper()
	for _, g := range goldenRuns {
		batches := want[g.run]
		if g.run == "last" {
			batches = batches[:len(batches)-cut]
		}
		var texts []string
		for _, b := range batches {
			texts = append(texts, b...)
		}
		got := read(t, log, g.run)
		requireTexts(t, texts, got, g.run)
	}
}

// readAll reads all runs of a log that is on a disk, and returns how many records
// there are, and the error that names the damage.
func readAll(t *testing.T, d *disk) (records int, found Found, err error) {
	t.Helper()
	log, err := open(t.Context(), "/log", d, small)
	if err != nil {
		return 0, Found{}, err
	}
	defer log.Close() //nolint:errcheck // it was only read
	for info, err := range log.Runs(t.Context(), statelog.Query{}) {
		require.NoError(t, err)
		for rec, err := range log.Read(t.Context(), info.Run, 0) {
			if err != nil {
				return records, log.Found(), err
			}
			_ = rec
			records++
		}
	}
	return records, log.Found(), nil
}

// names reports whether an error says which file is damaged.
func names(err error, name string) bool {
	corrupt, ok := errors.AsType[*statelog.CorruptError](err)
	if ok {
		return strings.HasSuffix(corrupt.Path, name)
	}
	newer, ok := errors.AsType[*VersionError](err)
	return ok && strings.HasSuffix(newer.Path, name)
}

// flips are the bytes of a file to flip: all, but of a record some.
func flips(name string, size int) []int {
	var all []int
	for at := 0; at < size; at++ {
		all = append(all, at)
		if strings.HasSuffix(name, ".rec") && at > sideHead {
			at += 996
		}
	}
	return all
}

// L5: a byte that flips anywhere is found, and the error says in which file. Only
// in the last commit of a log that was not closed it may be one that was not
// written whole; that is cut off, which is said.
func TestEveryByteFlipped(t *testing.T) {
	t.Parallel()
	for _, dir := range goldens {
		d := golden(t, dir)
		all, _, err := readAll(t, d.copy())
		require.NoError(t, err)
		segments := d.segments()
		last := segments[len(segments)-1]
		for name, node := range d.names {
			for _, at := range flips(name, len(node.data)) {
				damaged := d.copy()
				damaged.names[name].data[at] ^= 1 << (at % 8)
				records, found, err := readAll(t, damaged)
				switch {
				case err != nil:
					require.True(t, names(err, name), "%s, byte %d: %v", name, at, err)
				case strings.HasSuffix(dir, "closed"):
					require.Equal(t, all, records, "%s, byte %d", name, at)
				default:
					require.NotNil(t, found.Torn, "%s, byte %d", name, at)
					require.Equal(t, last, name)
					require.Equal(t, all-4, records, "%s, byte %d", name, at)
				}
				if err == nil {
					require.NotNil(t, found.Torn, "%s, byte %d", name, at)
				}
			}
		}
	}
}

// L5: a segment that is cut short anywhere is found, too. The last one has lost
// whole commits, and what is left of one is kept.
func TestCutEverywhere(t *testing.T) {
	t.Parallel()
	d := golden(t, goldens[1])
	all, _, err := readAll(t, d.copy())
	require.NoError(t, err)
	want := goldenTexts(t)
	segments := d.segments()
	last := segments[len(segments)-1]
	sizes := map[int]bool{}
	for _, name := range segments {
		for size := range d.names[name].data {
			cut := d.copy()
			cut.names[name].data = cut.names[name].data[:size]
			records, found, err := readAll(t, cut)
			if name != last || size < segmentHead {
				require.True(t, names(err, name), "%s, %d bytes: %v", name, size, err)
				continue
			}
			require.NoError(t, err, "%s, %d bytes", name, size)
			sizes[records] = true
			if found.Torn != nil {
				kept := cut.names[filepath.Base(found.Torn.Kept)].data
				whole := cut.names[last].data
				require.Equal(t, d.names[last].data[:size], append(whole, kept...))
			}
			log := openOn(t, cut)
			require.Nil(t, log.Found().Torn, "it is cut off once")
			for lost := 0; ; lost++ {
				if log.runs["last"] == nil {
					require.Equal(t, all-6, records, "another run is cut, too")
					break
				}
				if len(read(t, log, "last")) == without(want, lost) {
					requireGolden(t, log, want, lost)
					break
				}
				require.Less(t, lost, 3, "half a batch is there")
			}
			require.NoError(t, log.Close())
		}
	}
	require.Greater(t, len(sizes), 1)
}

func without(want map[string][][]string, lost int) int {
	left := 0
	for _, b := range want["last"][:len(want["last"])-lost] {
		left += len(b)
	}
	return left
}

// goldenSegment returns a segment of a golden log.
func goldenSegment(tb testing.TB, number string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(goldens[0], "0000000"+number+".seg"))
	require.NoError(tb, err)
	return data
}
