package redislog_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/expand"
	"github.com/daggy-go/daggy/internal/integration/servertest"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/redislog"
)

// BenchmarkAppend compares appending with what one would write by hand: the same
// records, encoded alike, pushed to a list one by one in a pipeline, without
// comparing anything. Both take turns in the same process, against the same
// server; ratio is how many times as fast the log is, by the medians.
func BenchmarkAppend(b *testing.B) {
	for _, bc := range []struct {
		name   string
		batch  int
		reason int // bytes of text in every other record
	}{
		{"records=plain/batch=10", 10, 0},
		{"records=plain/batch=100", 100, 0},
		{"records=plain/batch=1000", 1000, 0},
		{"records=200B/batch=100", 100, 370},
		{"records=200B/batch=1000", 1000, 370},
	} {
		for _, fsync := range []struct {
			name     string
			settings []string
		}{
			{"no", servertest.InMemory},
			{"everysec", servertest.AppendEverySecond},
			{"always", servertest.AppendAlways},
		} {
			b.Run(bc.name+"/fsync="+fsync.name, func(b *testing.B) {
				server := servertest.StartRedis(b, fsync.settings...)
				compare(b, server, records(bc.batch, bc.reason))
			})
		}
	}
}

// records are what tasks leave in a log: an outcome and the next intent.
func records(n, reason int) []statelog.Record {
	var recs []statelog.Record
	now := time.Now()
	for i := range n / 2 {
		recs = append(recs,
			statelog.Record{
				Kind: statelog.Done, Time: now, Start: now.Add(-time.Millisecond), Task: i,
				Attempt: 1, Delay: -1, Reason: strings.Repeat("x", reason),
			},
			statelog.Record{
				Kind: statelog.Intent, Time: now, Task: i + 1, Attempt: 1, Node: "local",
			})
	}
	return recs
}

func compare(b *testing.B, server *servertest.Redis, recs []statelog.Record) {
	b.Helper()
	c := client(b, server.Options())
	config := redislog.Config{NoDocuments: true}
	l := logged{b: b, log: open(b, c, config), recs: recs}
	h := byHand{b: b, client: c, recs: recs}
	const rounds = 20 // batches timed together
	var ours, theirs []time.Duration
	for b.Loop() {
		ours = append(ours, timed(rounds, l.append))
		theirs = append(theirs, timed(rounds, h.push))
		// One run is not let grow without end.
		if len(ours)%100 == 0 {
			require.NoError(b, c.FlushAll(b.Context()).Err())
			l = logged{b: b, log: open(b, c, config), recs: recs}
		}
	}
	per := func(times []time.Duration) float64 {
		return float64(rounds*len(recs)) / median(times).Seconds()
	}
	b.ReportMetric(per(ours), "records/s")
	b.ReportMetric(per(theirs), "by-hand/s")
	b.ReportMetric(per(ours)/per(theirs), "ratio")
}

func timed(rounds int, f func()) time.Duration {
	start := time.Now()
	for range rounds {
		f()
	}
	return time.Since(start)
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

type logged struct {
	b     *testing.B
	log   *redislog.Log
	recs  []statelog.Record
	after uint64
}

func (l *logged) append() {
	end, err := l.log.Append(l.b.Context(), "run", l.after, l.recs)
	if err != nil {
		l.b.Fatal(err)
	}
	l.after = end
}

type byHand struct {
	b      *testing.B
	client *redis.Client
	recs   []statelog.Record
}

func (h *byHand) push() {
	pipe := h.client.Pipeline()
	for i := range h.recs {
		data, err := h.recs[i].AppendBinary(nil)
		if err != nil {
			h.b.Fatal(err)
		}
		pipe.RPush(h.b.Context(), "list", data)
	}
	if _, err := pipe.Exec(h.b.Context()); err != nil {
		h.b.Fatal(err)
	}
}

// BenchmarkRead compares reading with fetching the same batches and doing
// nothing with them.
func BenchmarkRead(b *testing.B) {
	c := client(b, servertest.StartRedis(b, servertest.InMemory...).Options())
	log := open(b, c, redislog.Config{NoDocuments: true})
	l := logged{b: b, log: log, recs: records(100, 0)}
	const batches = 2000
	for range batches {
		l.append()
	}
	var ours, theirs []time.Duration
	for b.Loop() {
		ours = append(ours, timed(1, func() {
			for _, err := range log.Read(b.Context(), "run", 0) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}))
		theirs = append(theirs, timed(1, func() {
			for start := "-"; ; {
				page, err := c.XRangeN(b.Context(), "{daggy}:log:run", start, "+", 400).Result()
				if err != nil {
					b.Fatal(err)
				}
				if len(page) == 0 {
					break
				}
				start = fmt.Sprint("(", page[len(page)-1].ID)
			}
		}))
	}
	b.ReportMetric(float64(l.after)/median(ours).Seconds(), "records/s")
	b.ReportMetric(float64(median(theirs))/float64(median(ours)), "ratio")
}

// BenchmarkDocuments says what documents cost: runs of tasks that do nothing, with
// documents and without, by turns. ratio is how many times as long a run takes
// with them until all are written, appended how many times until its records are.
func BenchmarkDocuments(b *testing.B) {
	const tasks, batch = 10_000, 1000
	c := client(b, servertest.StartRedis(b, servertest.InMemory...).Options())
	names := make([]dag.Task, tasks)
	for i := range names {
		names[i] = dag.Task{Name: fmt.Sprint("task", i), Job: dag.Command("true")}
	}
	d := &dag.DAG{Tasks: names}
	opened := statelog.Record{Kind: statelog.Opened, Time: time.Now(), Opened: &statelog.Opening{
		Version: statelog.Version, Expansion: expand.Version,
		Definition: func() *dag.DAG { return d },
	}}
	recs := append([]statelog.Record{opened}, records(2*tasks-2, 0)...)
	run := func(config redislog.Config) (appended, written time.Duration) {
		require.NoError(b, c.FlushAll(b.Context()).Err())
		log := open(b, c, config)
		start, after := time.Now(), uint64(0)
		for part := range slices.Chunk(recs, batch) {
			end, err := log.Append(b.Context(), "run", after, part)
			require.NoError(b, err)
			after = end
		}
		appended = time.Since(start)
		require.NoError(b, log.Close())
		return appended, time.Since(start)
	}
	var plainA, plainW, withA, withW []time.Duration
	for b.Loop() {
		a, w := run(redislog.Config{NoDocuments: true})
		plainA, plainW = append(plainA, a), append(plainW, w)
		a, w = run(redislog.Config{})
		withA, withW = append(withA, a), append(withW, w)
	}
	b.ReportMetric(float64(median(withW))/float64(median(plainW)), "ratio")
	b.ReportMetric(float64(median(withA))/float64(median(plainA)), "appended")
	b.ReportMetric(tasks/median(withW).Seconds(), "documents/s")
}
