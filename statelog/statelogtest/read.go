package statelogtest

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
)

// some opens a run with records 1 to n.
func (s *suite) some(run string, n int) []statelog.Record {
	s.Helper()
	recs := []statelog.Record{opening(epoch)}
	for i := 1; i < n; i++ {
		recs = append(recs, numbered(i))
	}
	s.append(run, 0, recs...)
	return recs
}

func readAfter(s *suite) {
	const n = 10
	want := texts(s, 1, s.some("run", n))
	for after := range uint64(n) {
		var got []string
		for _, rec := range s.read("run", after) {
			got = append(got, text(s, rec))
		}
		s.same(want[after:], got, "after %d", after)
	}
	for _, after := range []uint64{n, n + 1, 1 << 40, 1<<64 - 1} {
		require.Empty(s, s.read("run", after), "after %d of %d", after, n)
	}
}

func endOfTheCall(s *suite) {
	s.some("run", 3)
	before := s.log.Read(s.Context(), "run", 0)
	end := s.append("run", 3, numbered(3), numbered(4))
	read := 0
	for rec, err := range before {
		require.NoError(s, err)
		read++
		require.LessOrEqual(s, rec.Seq, uint64(3), "it was appended after the call")
	}
	require.Equal(s, 3, read, "records that there were at the call")
	require.Len(s, s.read("run", 0), int(end))
}

func appendInRead(s *suite) {
	const n = 20
	s.some("run", n)
	read := 0
	for rec, err := range s.log.Read(s.Context(), "run", 0) {
		require.NoError(s, err)
		require.LessOrEqual(s, rec.Seq, uint64(n), "it was appended by the loop")
		if !s.promptly("run", uint64(n+read), numbered(n+read)) {
			return
		}
		read++
	}
	require.Equal(s, n, read)
	require.Len(s, s.read("run", 0), 2*n, "the loop appended a record for each that it read")
}

func endEarly(s *suite) {
	s.some("run", 10)
	for rec, err := range s.log.Read(s.Context(), "run", 2) {
		require.NoError(s, err)
		require.Equal(s, uint64(3), rec.Seq)
		break
	}
	if s.promptly("run", 10, numbered(10)) {
		require.Len(s, s.read("run", 0), 11)
	}
}

func readNoRun(s *suite) {
	s.some("other", 3)
	for _, after := range []uint64{0, 5} {
		yields := 0
		for _, err := range s.log.Read(s.Context(), "run", after) {
			yields++
			require.ErrorIs(s, err, statelog.ErrNoRun)
		}
		require.Equal(s, 1, yields, "what is yielded for a run that is not there")
	}
}

// readEnded leaves it to the log when it looks at ctx, but not to yield anything
// after an error or to leave out anything before one.
func readEnded(s *suite) {
	const n = 2000
	s.some("run", n)
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	read, ended := 0, false
	for rec, err := range s.log.Read(ctx, "run", 0) {
		require.False(s, ended, "something is yielded after an error")
		if err != nil {
			ended = true
			continue
		}
		read++
		require.Equal(s, uint64(read), rec.Seq)
		if read == 10 {
			cancel()
		}
	}
	if !ended {
		require.Equal(s, n, read, "records are left out without an error")
	}
}
