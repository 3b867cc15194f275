package statelogtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
)

// Config says what to check.
type Config struct {
	// New returns an empty log. What it needs to clean up it registers with tb.
	// Required.
	New func(tb testing.TB) statelog.StateLogger
	// Reopen closes a log that New or Reopen returned and opens what it has
	// stored, as another process would. It registers what it needs to clean up
	// with tb. Nil: the log does not outlive its process.
	Reopen func(tb testing.TB, log statelog.StateLogger) statelog.StateLogger
	// Lose has the engine's lock of a run be lost. Nil: nothing can, or the log
	// is not [statelog.Leased].
	Lose func(tb testing.TB, log statelog.StateLogger, run, engine string)
	// Records is how many records the largest run of the suite has. 0: 100,000.
	Records int
	// Patience is how long something may take that must not wait for a lock.
	// 0: 10 seconds.
	Patience time.Duration
}

// Run checks the logs that c.New returns, each rule in a subtest.
func Run(t *testing.T, c Config) {
	t.Helper()
	for _, ch := range checks {
		t.Run(ch.name, func(t *testing.T) {
			t.Parallel()
			ch.run(newSuite(t, c.New(t), c).owned(t, c))
		})
	}
}

// A check holds one aspect of a rule. Its name starts with the rule.
type check struct {
	name string
	run  func(s *suite)
}

var checks = []check{
	{"L1 every field comes back", everyField},
	{"L1 numbers have no gap", numbers},
	{"L1 slices are not kept", slicesReused},
	{"L1 many records", manyRecords},
	{"L2 runs do not mix", runsDoNotMix},
	{"L2 reading while appending", readWhileAppending},
	{"L2 records outlive the process", reopened},
	{"L3 numbers outlive the process", fencedReopened},
	{"L3 an open run is not opened again", openedAgain},
	{"L3 a stale number is fenced", staleNumber},
	{"L3 a number beyond the end is fenced", beyondTheEnd},
	{"L3 no such run to append to", appendToNoRun},
	{"L3 one of two engines wins", twoEngines},
	{"L3 all or nothing when ctx has ended", appendEnded},
	{"L3 no records only compare", appendNothing},
	{"L3 an ambiguous append is resolved by reading", resolveAmbiguous},
	{"L6 one engine at a time", oneEngine},
	{"L6 a lock that is lost is told", lockLost},
	{"L6 a lock that is given back is not lost", lockReleased},
	{"L7 reading starts after the number", readAfter},
	{"L7 the end is that of the call", endOfTheCall},
	{"L7 no lock is held while reading", appendInRead},
	{"L7 a loop may end early", endEarly},
	{"L7 no such run to read", readNoRun},
	{"L7 an error is the last thing", readEnded},
	{"L8 runs are described", describeRuns},
	{"L8 the newest run is first", newestFirst},
	{"L8 runs by tags", runsByTags},
	{"L8 runs by state", runsByState},
	{"L8 runs by time", runsByTime},
	{"L8 no more runs than the limit", runsByLimit},
	{"L8 no lock is held while listing", appendInRuns},
	{"L9 what closed first is removed first", pruneByCount},
	{"L9 what closed long ago is removed", pruneByAge},
	{"L9 runs that are not closed stay", pruneOpen},
	{"L9 a removed run can be opened anew", pruneAndOpen},
}

// tb is what the checks need of a testing.TB, so that the suite can be tested
// too.
type tb interface {
	require.TestingT
	Context() context.Context
	Helper()
	Logf(format string, args ...any)
}

// A suite is what a check is given.
type suite struct {
	tb
	log      statelog.StateLogger
	records  int
	patience time.Duration
	// reopen puts another in the place of log, lose loses a lock. Nil: it cannot.
	reopen func()
	lose   func(run, engine string)
}

func newSuite(t tb, log statelog.StateLogger, c Config) *suite {
	s := &suite{tb: t, log: log, records: c.Records, patience: c.Patience}
	if s.records == 0 {
		s.records = 100_000
	}
	if s.patience == 0 {
		s.patience = 10 * time.Second
	}
	return s
}

// owned says what the log cleans up with.
func (s *suite) owned(tb testing.TB, c Config) *suite {
	tb.Helper()
	if c.Reopen != nil {
		s.reopen = func() { s.log = c.Reopen(tb, s.log) }
	}
	if c.Lose != nil {
		s.lose = func(run, engine string) { c.Lose(tb, s.log, run, engine) }
	}
	return s
}

// append appends what must be accepted and returns the number of the last.
func (s *suite) append(run string, after uint64, recs ...statelog.Record) uint64 {
	s.Helper()
	end, err := s.log.Append(s.Context(), run, after, recs)
	require.NoError(s, err)
	require.Equal(s, after+uint64(len(recs)), end, "number of the last record")
	return end
}

// refuse appends what must be refused with this error and must leave no trace.
func (s *suite) refuse(want error, run string, after uint64, recs ...statelog.Record) {
	s.Helper()
	before := s.all(run)
	_, err := s.log.Append(s.Context(), run, after, recs)
	require.ErrorIs(s, err, want, "append after %d to a run of %d records", after, len(before))
	s.same(before, s.all(run), "the refused records left a trace")
}

// same shows the first difference only: a run has many records.
func (s *suite) same(want, got []string, explanation ...any) {
	s.Helper()
	for i := range min(len(want), len(got)) {
		require.Equal(s, want[i], got[i], explanation...)
	}
	if len(want) != len(got) {
		text := fmt.Sprintf("%d records, should be %d", len(got), len(want))
		require.Fail(s, text, explanation...)
	}
}

// all returns the texts of all records of a run, none if there is no run.
func (s *suite) all(run string) []string {
	s.Helper()
	var texts []string
	for rec, err := range s.log.Read(s.Context(), run, 0) {
		if errors.Is(err, statelog.ErrNoRun) {
			continue
		}
		require.NoError(s, err)
		texts = append(texts, text(s, rec))
	}
	return texts
}

// read returns the records of a run that must be there.
func (s *suite) read(run string, after uint64) []statelog.Record {
	s.Helper()
	var recs []statelog.Record
	for rec, err := range s.log.Read(s.Context(), run, after) {
		require.NoError(s, err)
		recs = append(recs, rec)
	}
	return recs
}

// promptly appends a record from inside a loop, which must not wait for a lock
// that the loop holds. It reports false after saying so if it does.
func (s *suite) promptly(run string, after uint64, rec statelog.Record) bool {
	s.Helper()
	// Who waits for a lock that is never given back is left alone.
	done := make(chan error, 1)
	go func() {
		_, err := s.log.Append(s.Context(), run, after, []statelog.Record{rec})
		done <- err
	}()
	timer := time.NewTimer(s.patience)
	defer timer.Stop()
	select {
	case err := <-done:
		require.NoError(s, err)
		return true
	case <-timer.C:
		s.Errorf("Append after %d waits, as if for a lock", after)
		return false
	}
}
