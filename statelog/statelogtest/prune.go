package statelogtest

import (
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
)

// pruner returns the log if it can forget runs, and says so if it cannot.
func (s *suite) pruner() (statelog.Pruner, bool) {
	s.Helper()
	log, ok := statelog.As[statelog.Pruner](s.log)
	if !ok {
		s.Logf("the log is no Pruner: its runs stay")
	}
	return log, ok
}

// over opens a run and closes it at the given time.
func (s *suite) over(run string, closed time.Time) {
	s.Helper()
	s.append(run, 0, opening(closed.Add(-time.Minute)), numbered(1),
		statelog.Record{Kind: statelog.Closed, State: "completed", Time: closed})
}

// gone requires that there is no such run.
func (s *suite) gone(run string) {
	s.Helper()
	require.NotContains(s, s.found(statelog.Query{}), run)
	for _, err := range s.log.Read(s.Context(), run, 0) {
		require.ErrorIs(s, err, statelog.ErrNoRun, "reading a run that was removed")
	}
	_, err := s.log.Append(s.Context(), run, 3, []statelog.Record{numbered(3)})
	require.ErrorIs(s, err, statelog.ErrNoRun, "appending to a run that was removed")
}

// pruneByCount closes runs in another order than that of their names and of their
// opening.
func pruneByCount(s *suite) {
	log, ok := s.pruner()
	if !ok {
		return
	}
	for i, hour := range []int{4, 1, 5, 2, 3} {
		s.over(fmt.Sprintf("closed %d", i), hours(hour))
	}
	removed, err := log.Prune(s.Context(), statelog.Retention{})
	require.NoError(s, err)
	require.Zero(s, removed, "the zero Retention keeps all runs")

	removed, err = log.Prune(s.Context(), statelog.Retention{Count: 3})
	require.NoError(s, err)
	require.Equal(s, 2, removed, "runs that were removed")
	s.gone("closed 1")
	s.gone("closed 3")
	left := s.found(statelog.Query{})
	slices.Sort(left)
	require.Equal(s, []string{"closed 0", "closed 2", "closed 4"}, left)
	for _, run := range left {
		require.Len(s, s.read(run, 0), 3)
	}
	if s.reopen != nil {
		s.reopen()
		s.gone("closed 1")
		require.Len(s, s.found(statelog.Query{}), 3)
	}
}

func pruneByAge(s *suite) {
	log, ok := s.pruner()
	if !ok {
		return
	}
	now := time.Now()
	s.over("old", now.Add(-3*time.Hour))
	s.over("new", now.Add(-time.Hour))
	removed, err := log.Prune(s.Context(), statelog.Retention{Age: 2 * time.Hour, Count: 5})
	require.NoError(s, err)
	require.Equal(s, 1, removed, "runs that were removed")
	s.gone("old")
	require.Len(s, s.read("new", 0), 3)
}

func pruneOpen(s *suite) {
	log, ok := s.pruner()
	if !ok {
		return
	}
	s.append("open", 0, opening(hours(0)), numbered(1))
	s.over("reopened", hours(1))
	s.append("reopened", 3, statelog.Record{Kind: statelog.Reopened, Time: hours(2), Engine: "e"})
	s.over("closed", hours(3))
	s.over("last", hours(4))
	removed, err := log.Prune(s.Context(), statelog.Retention{Age: time.Nanosecond, Count: 1})
	require.NoError(s, err)
	require.Equal(s, 2, removed, "runs that were removed")
	left := s.found(statelog.Query{})
	slices.Sort(left)
	require.Equal(s, []string{"open", "reopened"}, left)
	s.append("open", 2, numbered(2))
	s.append("reopened", 4, numbered(4))
	require.Len(s, s.read("reopened", 0), 5)
}

func pruneAndOpen(s *suite) {
	log, ok := s.pruner()
	if !ok {
		return
	}
	s.over("run", hours(1))
	_, err := log.Prune(s.Context(), statelog.Retention{Age: time.Nanosecond})
	require.NoError(s, err)
	s.gone("run")
	s.append("run", 0, opening(hours(5)), numbered(7))
	s.append("run", 2, numbered(8))
	want := []statelog.Record{opening(hours(5)), numbered(7), numbered(8)}
	s.same(texts(s, 1, want), s.all("run"))
	require.Equal(s, []string{"run"}, s.found(statelog.Query{States: []string{statelog.Running}}))
	if s.reopen != nil {
		s.reopen()
		s.same(texts(s, 1, want), s.all("run"), "after reopening")
	}
}
