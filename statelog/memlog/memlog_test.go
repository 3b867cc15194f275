package memlog_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/memlog"
	"github.com/daggy-go/daggy/statelog/statelogtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	t.Parallel()
	statelogtest.Run(t, statelogtest.Config{
		New: func(testing.TB) statelog.StateLogger { return memlog.New() },
	})
}

func TestZeroLogConforms(t *testing.T) {
	t.Parallel()
	statelogtest.Run(t, statelogtest.Config{
		New:     func(testing.TB) statelog.StateLogger { return &memlog.Log{KeepClosed: 1000} },
		Records: 10_000,
	})
}

var now = time.Date(2026, time.June, 7, 8, 9, 10, 11, time.UTC)

func appended(
	t *testing.T, log *memlog.Log, run string, after uint64, recs ...statelog.Record,
) {
	t.Helper()
	_, err := log.Append(t.Context(), run, after, recs)
	require.NoError(t, err)
}

func read(t *testing.T, log *memlog.Log, run string) []statelog.Record {
	t.Helper()
	var recs []statelog.Record
	for rec, err := range log.Read(t.Context(), run, 0) {
		if err != nil {
			require.NoError(t, err)
		}
		recs = append(recs, rec)
	}
	return recs
}

// L1: packing loses nothing, whatever does not fit.
func TestWhatDoesNotFitComesBack(t *testing.T) {
	t.Parallel()
	for name, rec := range map[string]statelog.Record{
		"largest task":        {Task: math.MaxUint32},
		"task too large":      {Task: math.MaxUint32 + 1},
		"negative task":       {Task: -1},
		"largest instance":    {Instance: math.MaxInt32},
		"instance too large":  {Instance: math.MaxInt32 + 1},
		"instance too small":  {Instance: math.MinInt32 - 1},
		"most attempts":       {Attempt: math.MaxUint16},
		"too many attempts":   {Attempt: math.MaxUint16 + 1},
		"negative attempt":    {Attempt: -1},
		"no time":             {Start: now},
		"neither time":        {},
		"at once":             {Time: now, Start: now},
		"a long time":         {Time: now, Start: now.Add(-1<<40 + 1)},
		"too long":            {Time: now, Start: now.Add(-1 << 40)},
		"clock went back":     {Time: now, Start: now.Add(time.Second)},
		"before 1970":         {Time: time.Unix(-5, 7).UTC(), Start: time.Unix(-6, 7).UTC()},
		"too early":           {Time: time.Date(1600, 1, 2, 3, 4, 5, 6, time.UTC)},
		"too late":            {Time: time.Date(2300, 1, 2, 3, 4, 5, 6, time.UTC)},
		"started too early":   {Time: now, Start: time.Date(1, 2, 2, 3, 4, 5, 6, time.UTC)},
		"final":               {Delay: -1},
		"final too":           {Delay: -2},
		"final, for a reason": {Delay: -1, Reason: "exit 3"},
		"delay":               {Delay: math.MaxInt64},
		"result":              {Result: &executor.Result{ExitCode: 3}},
		"result and reason":   {Result: &executor.Result{ExitCode: 3}, Reason: "exit 3"},
		"reference":           {Ref: "4711", Node: "n1"},
		"empty output":        {Output: []byte{}},
		"decision":            {Decision: statelog.Hold},
		"state":               {State: "failed"},
		"all":                 {All: true},
	} {
		for kind := statelog.Opened; kind <= statelog.Detached; kind++ {
			t.Run(fmt.Sprintf("%s/%s", name, kind), func(t *testing.T) {
				t.Parallel()
				log := memlog.New()
				want := rec
				want.Kind = kind
				appended(t, log, "run", 0, want)
				got := read(t, log, "run")
				require.Len(t, got, 1)
				got[0].Time, got[0].Start = got[0].Time.UTC(), got[0].Start.UTC()
				want.Seq = 1
				require.Equal(t, want, got[0])
			})
		}
	}
}

// A clock that was set while the attempt ran shows in the wall clock alone.
func TestTimesAreWallClock(t *testing.T) {
	t.Parallel()
	log := memlog.New()
	start := time.Now()
	end := start.Add(time.Second)
	appended(t, log, "run", 0, statelog.Record{Kind: statelog.Done, Time: end, Start: start})
	got := read(t, log, "run")[0]
	require.True(t, got.Start.Equal(start.Round(0)))
	require.True(t, got.Time.Equal(end.Round(0)))
}

func TestMoreNodesThanHaveNumbers(t *testing.T) {
	t.Parallel()
	log := memlog.New()
	const nodes = math.MaxUint16 + 10
	var recs []statelog.Record
	for i := range 2 * nodes {
		node := fmt.Sprintf("node %d", i%nodes)
		recs = append(recs, statelog.Record{Kind: statelog.Intent, Time: now, Task: i, Node: node})
	}
	appended(t, log, "run", 0, recs...)
	for i, rec := range read(t, log, "run") {
		if recs[i].Node != rec.Node || recs[i].Task != rec.Task {
			require.Equal(t, recs[i], rec)
		}
	}
}

func TestAppendToEndedContextAddsNothing(t *testing.T) {
	t.Parallel()
	log := memlog.New()
	reason := fmt.Errorf("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(reason)
	_, err := log.Append(ctx, "run", 0, []statelog.Record{{Kind: statelog.Opened}})
	require.ErrorIs(t, err, reason)
	require.False(t, log.Remove("run"), "a run was opened")
}

func TestRemove(t *testing.T) {
	t.Parallel()
	log := memlog.New()
	opened := statelog.Record{Kind: statelog.Opened, Time: now}
	appended(t, log, "run", 0, opened, opened)
	appended(t, log, "other", 0, opened)
	before := log.Read(t.Context(), "run", 0)

	require.True(t, log.Remove("run"))
	require.False(t, log.Remove("run"), "it is gone")
	_, err := log.Append(t.Context(), "run", 2, []statelog.Record{opened})
	require.ErrorIs(t, err, statelog.ErrNoRun, "the engine of a run that is gone")
	for _, err := range log.Read(t.Context(), "run", 0) {
		require.ErrorIs(t, err, statelog.ErrNoRun)
	}
	for info, err := range log.Runs(t.Context(), statelog.Query{}) {
		require.NoError(t, err)
		require.Equal(t, "other", info.Run)
	}
	yielded := 0
	for _, err := range before {
		require.NoError(t, err)
		yielded++
	}
	require.Equal(t, 2, yielded, "a Read that had begun sees what it saw")

	appended(t, log, "run", 0, opened)
	require.Len(t, read(t, log, "run"), 1, "the ID may be used again")
}

func TestKeepClosed(t *testing.T) {
	t.Parallel()
	log := &memlog.Log{KeepClosed: 2}
	opened := statelog.Record{Kind: statelog.Opened, Time: now}
	closed := statelog.Record{Kind: statelog.Closed, Time: now, State: "completed"}
	reopened := statelog.Record{Kind: statelog.Reopened, Time: now}
	runs := func() []string {
		var ids []string
		for info, err := range log.Runs(t.Context(), statelog.Query{}) {
			require.NoError(t, err)
			ids = append(ids, info.Run)
		}
		return ids
	}
	for _, run := range []string{"a", "b", "c", "d"} {
		appended(t, log, run, 0, opened)
	}
	require.Equal(t, []string{"d", "c", "b", "a"}, runs(), "none is closed")
	appended(t, log, "b", 1, closed)
	appended(t, log, "a", 1, closed)
	appended(t, log, "c", 1, closed)
	require.Equal(t, []string{"d", "c", "a"}, runs(), "b closed first")

	// A run that was reopened does not count until it closes again.
	appended(t, log, "a", 2, reopened)
	appended(t, log, "d", 1, closed)
	require.Equal(t, []string{"d", "c", "a"}, runs(), "c and d are closed")
	appended(t, log, "a", 3, closed)
	require.Equal(t, []string{"d", "a"}, runs(), "c closed first")

	require.True(t, log.Remove("d"))
	appended(t, log, "e", 0, opened, closed)
	require.Equal(t, []string{"e", "a"}, runs(), "what was removed does not count")
}

func TestRunsInOneInstantAreInOrderOfOpening(t *testing.T) {
	t.Parallel()
	log := memlog.New()
	var want []string
	for i := range 20 {
		run := fmt.Sprintf("run %d", (i*7)%20)
		appended(t, log, run, 0, statelog.Record{Kind: statelog.Opened, Time: now})
		want = append([]string{run}, want...)
	}
	var got []string
	for info, err := range log.Runs(t.Context(), statelog.Query{}) {
		require.NoError(t, err)
		got = append(got, info.Run)
	}
	require.Equal(t, want, got)
}

// It is not parallel since it counts allocations.
func TestAppendAllocatesNothing(t *testing.T) {
	log := memlog.New()
	recs := turn(nil, 1, now, nil)
	after := uint64(0)
	perBatch := testing.AllocsPerRun(20_000, func() {
		end, err := log.Append(t.Context(), "run", after, recs)
		if err != nil {
			t.Fatal(err)
		}
		after = end
	})
	require.Zero(t, perBatch, "allocations of a batch, rounded")
}

func Example() {
	log := memlog.New()
	ctx := context.Background()
	end, err := log.Append(ctx, "r1", 0, []statelog.Record{
		{Kind: statelog.Opened, Opened: &statelog.Opening{Version: statelog.Version}},
		{Kind: statelog.Intent, Task: 0, Attempt: 1},
		{Kind: statelog.Done, Task: 0, Attempt: 1},
	})
	fmt.Println(end, err)
	for rec, err := range log.Read(ctx, "r1", 1) {
		fmt.Println(rec.Seq, rec.Kind, err)
	}
	// Output:
	// 3 <nil>
	// 2 intent <nil>
	// 3 done <nil>
}
