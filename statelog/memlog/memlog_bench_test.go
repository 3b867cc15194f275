package memlog_test

import (
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/memlog"
)

// turn makes what a task leaves in the log: the outcome of one, the intent of
// the next.
func turn(recs []statelog.Record, i int, now time.Time, result *executor.Result) []statelog.Record {
	return append(recs,
		statelog.Record{
			Kind: statelog.Done, Time: now, Start: now.Add(-time.Millisecond), Task: i, Attempt: 1,
			Delay: -1, Result: result,
		},
		statelog.Record{Kind: statelog.Intent, Time: now, Task: i + 1, Attempt: 1, Node: "local"},
	)
}

func BenchmarkAppend(b *testing.B) {
	for _, bc := range []struct {
		name   string
		result *executor.Result
		tasks  int // in a batch
	}{
		{"records=plain/batch=2", nil, 1},
		{"records=plain/batch=64", nil, 32},
		{"records=results/batch=64", &executor.Result{ExitCode: 1}, 32},
	} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			log := memlog.New()
			var recs []statelog.Record
			for i := range bc.tasks {
				recs = turn(recs, i, time.Now(), bc.result)
			}
			var after, run uint64
			id := strconv.FormatUint(run, 10)
			for b.Loop() {
				// One run is not let grow without end.
				if after > 4_000_000 {
					log.Remove(id)
					run++
					id, after = strconv.FormatUint(run, 10), 0
				}
				end, err := log.Append(b.Context(), id, after, recs)
				if err != nil {
					b.Fatal(err)
				}
				after = end
			}
			records := float64(b.N) * float64(len(recs))
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/records, "ns/record")
			b.ReportMetric(records/b.Elapsed().Seconds(), "records/s")
		})
	}
}

func BenchmarkRead(b *testing.B) {
	b.ReportAllocs()
	const tasks = 100_000
	log := memlog.New()
	fill(b, log, "run", tasks)
	records := 0
	for b.Loop() {
		for _, err := range log.Read(b.Context(), "run", 0) {
			if err != nil {
				b.Fatal(err)
			}
			records++
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(records), "ns/record")
}

func BenchmarkMemory(b *testing.B) {
	const tasks = 1_000_000
	for b.Loop() {
		log := memlog.New()
		before := heap()
		fill(b, log, "run", tasks)
		b.ReportMetric(float64(heap()-before)/(2*tasks), "B/record")
		runtime.KeepAlive(log)
	}
}

func fill(tb testing.TB, log *memlog.Log, run string, tasks int) {
	tb.Helper()
	now := time.Now()
	var recs []statelog.Record
	var after uint64
	for i := range tasks {
		recs = turn(recs[:0], i, now, nil)
		end, err := log.Append(tb.Context(), run, after, recs)
		require.NoError(tb, err)
		after = end
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
