package filelog_test

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/filelog"
)

// rounds of what is compared alternate, and the ratio is that of the medians.
const rounds = 5

// A byHand log is group commit with as little as possible around it: records of
// bytes, each with a length and a checksum, in one file.
type byHand struct {
	f       *os.File
	mu      sync.Mutex
	synced  *sync.Cond
	pending []byte
	free    []byte
	group   uint64 // that collects
	done    uint64 // groups that are on the disk
	busy    bool
}

func newByHand(tb testing.TB) *byHand {
	tb.Helper()
	f, err := os.Create(filepath.Join(tb.TempDir(), "byhand"))
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = f.Close() })
	h := &byHand{f: f}
	h.synced = sync.NewCond(&h.mu)
	return h
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (h *byHand) append(rec []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pending = binary.LittleEndian.AppendUint32(h.pending, uint32(len(rec)))
	h.pending = binary.LittleEndian.AppendUint32(h.pending, crc32.Checksum(rec, castagnoli))
	h.pending = append(h.pending, rec...)
	group := h.group
	for h.busy && h.done <= group {
		h.synced.Wait()
	}
	if h.done > group {
		return nil
	}
	h.busy = true
	buf := h.pending
	h.pending, h.free = h.free[:0], nil
	h.group++
	h.mu.Unlock()
	_, err := h.f.Write(buf)
	if err == nil {
		err = fdatasync(h.f)
	}
	h.mu.Lock()
	h.busy, h.free = false, buf
	h.done = group + 1
	h.synced.Broadcast()
	return err
}

// appendAll has each of so many writers append records one after the other until
// all of n are appended.
func appendAll(tb testing.TB, writers, n int, appendOne func(writer, i int) error) time.Duration {
	tb.Helper()
	var next atomic.Int64
	var group sync.WaitGroup
	began := time.Now()
	for w := range writers {
		group.Go(func() {
			for i := 0; int(next.Add(1)) <= n; i++ {
				if err := appendOne(w, i); err != nil {
					tb.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	return time.Since(began)
}

func openLog(tb testing.TB, dir string) *filelog.Log {
	tb.Helper()
	log, err := filelog.Open(tb.Context(), dir, filelog.Config{})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, log.Close()) })
	return log
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// BenchmarkAppend compares waiting writers, a run each, with group commit by hand
// of records of the same size: byhand/filelog is the part of its rate that is
// reached.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 16, 256} {
		b.Run("writers="+strconv.Itoa(writers), func(b *testing.B) {
			n := 60_000
			if writers == 1 {
				n = 2_000
			}
			for b.Loop() {
				var ours, theirs []time.Duration
				for range rounds {
					theirs = append(theirs, appendByHand(b, writers, n))
					ours = append(ours, appendRecords(b, writers, n))
				}
				b.ReportMetric(float64(median(theirs))/float64(median(ours)), "byhand/filelog")
				b.ReportMetric(float64(n)/median(ours).Seconds(), "records/s")
				b.ReportMetric(float64(n)/median(theirs).Seconds(), "byhand/s")
			}
		})
	}
}

// payload makes records 200 bytes long.
var payload = string(make([]byte, 180))

func largeRecord(i int, at time.Time) statelog.Record {
	return statelog.Record{Kind: statelog.Started, Time: at, Task: i, Attempt: 1, Ref: payload}
}

func appendByHand(tb testing.TB, writers, n int) time.Duration {
	tb.Helper()
	h := newByHand(tb)
	rec := make([]byte, 200)
	return appendAll(tb, writers, n, func(int, int) error { return h.append(rec) })
}

func appendRecords(tb testing.TB, writers, n int) time.Duration {
	tb.Helper()
	log := openLog(tb, tb.TempDir())
	ctx := tb.Context()
	ids := make([]string, writers)
	ends := make([]uint64, writers)
	for w := range writers {
		ids[w] = "run " + strconv.Itoa(w)
	}
	return appendAll(tb, writers, n, func(w, i int) error {
		recs := [1]statelog.Record{largeRecord(i, time.Now())}
		end, err := log.Append(ctx, ids[w], ends[w], recs[:])
		ends[w] = end
		return err
	})
}

// A filling adds what a task of a run leaves: two records.
type filling func(recs []statelog.Record, i int, at time.Time) []statelog.Record

// plain is the outcome of one function and the intent of the next.
func plain(recs []statelog.Record, i int, at time.Time) []statelog.Record {
	return append(recs, statelog.Record{
		Kind: statelog.Done, Time: at, Start: at.Add(-time.Millisecond), Task: i, Attempt: 1,
		Delay: -1,
	}, statelog.Record{
		Kind: statelog.Intent, Time: at, Task: i + 1, Attempt: 1,
	})
}

// processes is the same of processes on a node.
func processes(recs []statelog.Record, i int, at time.Time) []statelog.Record {
	recs = plain(recs, i, at)
	done, intent := &recs[len(recs)-2], &recs[len(recs)-1]
	took := time.Duration(i%1000) * 1234567
	intent.Node = "worker-7.example.org"
	done.Start = at.Add(-took - time.Millisecond)
	done.Result = &executor.Result{
		Start: at.Add(-took), End: at, UserCPU: took / 2, SystemCPU: took / 9,
		MaxRSS: 8<<20 + int64(i%77)<<12, Node: intent.Node,
		Unenforced: []string{"memory", "gpus"},
	}
	return recs
}

// large is what the writers of BenchmarkAppend append.
func large(recs []statelog.Record, i int, at time.Time) []statelog.Record {
	return append(recs, largeRecord(2*i, at), largeRecord(2*i+1, at))
}

func fill(tb testing.TB, log *filelog.Log, run string, tasks int, records filling) {
	tb.Helper()
	at := time.Date(2026, time.March, 1, 12, 30, 0, 0, time.UTC)
	var recs []statelog.Record
	var after uint64
	for i := range tasks {
		at = at.Add(1001 * time.Nanosecond)
		recs = records(recs, i, at)
		if len(recs) >= 2000 || i == tasks-1 {
			end, err := log.Append(context.Background(), run, after, recs)
			require.NoError(tb, err)
			after, recs = end, recs[:0]
		}
	}
}

// BenchmarkReplay compares reading all of 3,000,000 records, and opening the log
// that has them, with reading and summing its files.
func BenchmarkReplay(b *testing.B) {
	for _, bc := range []struct {
		name    string
		records filling
	}{{"records=plain", plain}, {"records=processes", processes}, {"records=200B", large}} {
		b.Run(bc.name, func(b *testing.B) {
			dir := b.TempDir()
			log := openLog(b, dir)
			fill(b, log, "run", 1_500_000, bc.records)
			require.NoError(b, log.Close())
			size := int64(0)
			for b.Loop() {
				var replay, opening, sum []time.Duration
				for range rounds {
					began := time.Now()
					size = sumFiles(b, dir)
					sum = append(sum, time.Since(began))

					began = time.Now()
					log, err := filelog.Open(b.Context(), dir, filelog.Config{})
					require.NoError(b, err)
					opening = append(opening, time.Since(began))

					began = time.Now()
					replayed(b, log, 3_000_000)
					replay = append(replay, time.Since(began))
					require.NoError(b, log.Close())
				}
				b.ReportMetric(float64(median(replay))/float64(median(sum)), "replay/sum")
				b.ReportMetric(float64(median(opening))/float64(median(sum)), "open/sum")
				b.ReportMetric(float64(median(replay))/3e6, "ns/record")
				b.ReportMetric(float64(size)/3e6, "B/record")
				b.ReportMetric(float64(median(sum))/1e6, "sum-ms")
			}
		})
	}
}

func replayed(tb testing.TB, log *filelog.Log, want int) {
	tb.Helper()
	n := 0
	for _, err := range log.Read(tb.Context(), "run", 0) {
		if err != nil {
			tb.Fatal(err)
		}
		n++
	}
	require.Equal(tb, want, n)
}

// sumFiles reads all files of a directory and returns their length.
func sumFiles(tb testing.TB, dir string) int64 {
	tb.Helper()
	names, err := os.ReadDir(dir)
	require.NoError(tb, err)
	buf := make([]byte, 256<<10)
	size := int64(0)
	for _, n := range names {
		f, err := os.Open(filepath.Join(dir, n.Name()))
		require.NoError(tb, err)
		sum := uint32(0)
		for {
			n, err := f.Read(buf)
			sum = crc32.Update(sum, castagnoli, buf[:n])
			size += int64(n)
			if err == io.EOF {
				break
			}
			require.NoError(tb, err)
		}
		require.NoError(tb, f.Close())
	}
	return size
}
