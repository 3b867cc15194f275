package statelogtest

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/statelog"
)

func everyField(s *suite) {
	recs := Records()
	want := texts(s, 1, recs)
	s.append("together", 0, recs...)
	s.same(want, s.all("together"))

	for i, rec := range recs {
		s.append("one by one", uint64(i), rec)
	}
	s.same(want, s.all("one by one"))
}

func numbers(s *suite) {
	var want []statelog.Record
	var after uint64
	for size := 1; size <= 20; size++ {
		var batch []statelog.Record
		for range size {
			rec := numbered(len(want) + len(batch))
			rec.Seq = 99 // is not asked
			batch = append(batch, rec)
		}
		want = append(want, batch...)
		after = s.append("run", after, batch...)
	}
	s.same(texts(s, 1, want), s.all("run"))
}

func slicesReused(s *suite) {
	recs := Records()
	given := texts(s, 1, recs)
	s.append("run", 0, recs...)
	for i := range recs {
		require.Zero(s, recs[i].Seq, "Append altered the records that it was given")
		for j := range recs[i].Pools {
			recs[i].Pools[j] = statelog.Pool{Name: "reused"}
		}
		recs[i] = statelog.Record{Kind: statelog.Closed, State: "reused"}
	}
	s.same(given, s.all("run"), "Append kept the slices that it was given")
}

func manyRecords(s *suite) {
	var batch []statelog.Record
	var after uint64
	for i := range s.records {
		rec := numbered(i)
		if i%5000 == 4999 {
			rec.Result = &executor.Result{ExitCode: i}
		}
		batch = append(batch, rec)
		if len(batch) == 500 || i == s.records-1 {
			after = s.append("run", after, batch...)
			batch = batch[:0]
		}
	}
	for _, from := range []int{0, 1, s.records / 2, s.records - 1} {
		at := from
		for rec, err := range s.log.Read(s.Context(), "run", uint64(from)) {
			// To require something of each would take most of the suite's time.
			if err != nil {
				require.NoError(s, err)
			}
			if rec.Seq != uint64(at+1) || rec.Task != at || rec.Instance != at%7 {
				want := numbered(at)
				want.Seq = uint64(at + 1)
				require.Equal(s, text(s, want), text(s, rec))
			}
			at++
		}
		require.Equal(s, s.records, at, "records up to this one, after %d", from)
	}
}

func openedAgain(s *suite) {
	s.append("run", 0, opening(epoch))
	s.refuse(statelog.ErrFenced, "run", 0, opening(epoch), numbered(1))
}

func staleNumber(s *suite) {
	s.append("run", 0, opening(epoch), numbered(1), numbered(2), numbered(3))
	for _, after := range []uint64{1, 2, 3} {
		s.refuse(statelog.ErrFenced, "run", after, numbered(8), numbered(9))
	}
	// The run goes on as if nothing had been.
	s.append("run", 4, numbered(4))
	s.refuse(statelog.ErrFenced, "run", 4, numbered(8))
}

func beyondTheEnd(s *suite) {
	s.append("run", 0, opening(epoch), numbered(1))
	for _, after := range []uint64{3, 4, 1 << 40, 1<<64 - 1} {
		s.refuse(statelog.ErrFenced, "run", after, numbered(8), numbered(9))
	}
}

func appendToNoRun(s *suite) {
	s.append("other", 0, opening(epoch))
	s.refuse(statelog.ErrNoRun, "run", 1, numbered(1), numbered(2))
	s.append("run", 0, opening(epoch))
}

func appendNothing(s *suite) {
	s.append("run", 0)
	require.Empty(s, s.all("run"), "appending nothing opened a run")
	s.append("run", 0, opening(epoch), numbered(1))
	s.append("run", 2)
	s.refuse(statelog.ErrFenced, "run", 0)
	s.refuse(statelog.ErrFenced, "run", 1)
	s.refuse(statelog.ErrFenced, "run", 3)
}

// appendEnded leaves it to the log whether it looks at ctx, but not to do half.
func appendEnded(s *suite) {
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	given := []statelog.Record{opening(epoch), numbered(1), numbered(2)}
	for _, run := range []string{"new", "old"} {
		var before []string
		var after uint64
		if run == "old" {
			after = s.append(run, 0, opening(epoch))
			before = s.all(run)
		}
		end, err := s.log.Append(ctx, run, after, given)
		if err == nil {
			require.Equal(s, after+3, end, "number of the last record")
			before = append(before, texts(s, after+1, given)...)
		}
		s.same(before, s.all(run), "with ctx ended, Append returned %v", err)
	}
}
