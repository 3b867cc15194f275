package statelogtest

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
)

// durable reports whether the log can be reopened, and says so if it cannot.
func (s *suite) durable() bool {
	s.Helper()
	if s.reopen == nil {
		s.Logf("the log has no Reopen: its records end with the process")
	}
	return s.reopen != nil
}

func reopened(s *suite) {
	if !s.durable() {
		return
	}
	recs := Records()
	for i, rec := range recs {
		s.append("one by one", uint64(i), rec)
	}
	s.append("together", 0, recs...)
	var runs []statelog.RunInfo
	for range 2 {
		s.reopen()
		s.same(texts(s, 1, recs), s.all("one by one"), "after reopening")
		s.same(texts(s, 1, recs), s.all("together"), "after reopening")
		var infos []statelog.RunInfo
		for info, err := range s.log.Runs(s.Context(), statelog.Query{}) {
			require.NoError(s, err)
			info.Opened, info.Closed = info.Opened.UTC(), info.Closed.UTC()
			infos = append(infos, info)
		}
		require.Len(s, infos, 2, "runs after reopening")
		if runs != nil {
			require.Equal(s, runs, infos, "the order of runs after reopening again")
		}
		runs = infos
	}
	require.Equal(s, uint64(len(recs)), runs[0].Seq)
	require.Equal(s, "completed", runs[0].State)
	require.Equal(s, map[string]string{"team": "blue"}, runs[0].Tags)
}

func fencedReopened(s *suite) {
	if !s.durable() {
		return
	}
	s.append("run", 0, opening(epoch), numbered(1), numbered(2))
	s.reopen()
	s.refuse(statelog.ErrFenced, "run", 0, opening(epoch))
	s.refuse(statelog.ErrFenced, "run", 2, numbered(8))
	s.refuse(statelog.ErrFenced, "run", 4, numbered(8))
	s.append("run", 3, numbered(3))
	s.reopen()
	require.Len(s, s.read("run", 0), 4)
	s.append("run", 4, numbered(4))
}

// resolveAmbiguous does what an engine does that was not answered.
func resolveAmbiguous(s *suite) {
	after := s.append("run", 0, opening(epoch), numbered(1))
	for i, applied := range []bool{true, false, true} {
		log := &Faulty{Log: s.log, OnAppend: At(1, Ambiguous(applied))}
		resumed := statelog.Record{
			Kind: statelog.Resumed, Time: epoch, Engine: string(rune('a' + i)),
		}
		batch := []statelog.Record{resumed, numbered(2)}
		_, err := log.Append(s.Context(), "run", after, batch)
		require.ErrorIs(s, err, statelog.ErrAmbiguous)

		found := s.read("run", after)
		if applied {
			require.Len(s, found, 2, "records that were added without an answer")
			require.Equal(s, resumed.Engine, found[0].Engine)
			// To try again instead would be to add them twice.
			s.refuse(statelog.ErrFenced, "run", after, batch...)
			after += 2
			continue
		}
		require.Empty(s, found, "records that were not added")
		after, err = log.Append(s.Context(), "run", after, batch)
		require.NoError(s, err)
	}
	want := texts(s, 1, []statelog.Record{opening(epoch), numbered(1)})
	s.same(want, s.all("run")[:2])
	require.Len(s, s.all("run"), int(after))
}

// leased is what checks of leases need.
type leased interface {
	statelog.Locker
	statelog.Leased
}

func (s *suite) leased() (leased, bool) {
	s.Helper()
	log, ok := statelog.As[leased](s.log)
	if !ok {
		s.Logf("the log is not Leased: its locks are not lost")
	}
	return log, ok
}

func lockLost(s *suite) {
	log, ok := s.leased()
	if !ok || s.lose == nil {
		return
	}
	release, err := log.Lock(s.Context(), "run", "first")
	require.NoError(s, err)
	told := make(chan struct{}, 2)
	log.OnLost("run", "first", func() { told <- struct{}{} })
	stop := log.OnLost("run", "first", func() { s.Errorf("it was taken back") })
	stop()
	s.lose("run", "first")
	ctx, cancel := context.WithTimeout(s.Context(), s.patience)
	defer cancel()
	select {
	case <-told:
	case <-ctx.Done():
		require.Fail(s, "the lock was lost and nobody was told")
	}
	require.NoError(s, release())
	require.Empty(s, told, "it was told more than once")
}

// lockReleased also has another engine lock the run, after which nothing can be
// told late of the first lock.
func lockReleased(s *suite) {
	log, ok := s.leased()
	if !ok {
		return
	}
	for _, engine := range []string{"first", "second", "first"} {
		release, err := log.Lock(s.Context(), "run", engine)
		require.NoError(s, err)
		log.OnLost("run", engine, func() { s.Errorf("%s lost what it gave back", engine) })
		require.NoError(s, release())
	}
}
