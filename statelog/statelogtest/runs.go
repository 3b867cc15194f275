package statelogtest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
)

// openRuns opens runs "a", "b", "c" and "d", an hour apart, in another order.
// They have two tags each. "b" completes, "c" fails and "d" fails and is
// reopened.
func (s *suite) openRuns() {
	s.Helper()
	closed := func(state string, hour int) statelog.Record {
		return statelog.Record{Kind: statelog.Closed, State: state, Time: hours(hour)}
	}
	s.append("b", 0, opening(hours(1), "team", "blue", "kind", "daily"))
	s.append("a", 0, opening(hours(0), "team", "red", "kind", "daily"), numbered(1))
	s.append("d", 0, opening(hours(3), "team", "red", "kind", "adhoc"), closed("failed", 4))
	s.append("c", 0, opening(hours(2), "team", "blue", "kind", "adhoc"), closed("failed", 5))
	s.append("b", 1, numbered(1), closed("completed", 6))
	s.append("d", 2, statelog.Record{Kind: statelog.Reopened, Time: hours(7), Engine: "e"})
}

func hours(n int) time.Time { return epoch.Add(time.Duration(n) * time.Hour) }

// found returns the IDs of the runs that match q.
func (s *suite) found(q statelog.Query) []string {
	s.Helper()
	ids := []string{}
	for info, err := range s.log.Runs(s.Context(), q) {
		require.NoError(s, err)
		ids = append(ids, info.Run)
	}
	return ids
}

func describeRuns(s *suite) {
	require.Empty(s, s.found(statelog.Query{}), "the log is not empty")
	s.openRuns()
	infos := map[string]statelog.RunInfo{}
	for info, err := range s.log.Runs(s.Context(), statelog.Query{}) {
		require.NoError(s, err)
		info.Opened, info.Closed = info.Opened.UTC(), info.Closed.UTC()
		infos[info.Run] = info
	}
	require.Equal(s, map[string]statelog.RunInfo{
		"a": {
			Run: "a", Tags: map[string]string{"team": "red", "kind": "daily"},
			State: statelog.Running, Opened: hours(0), Seq: 2,
		},
		"b": {
			Run: "b", Tags: map[string]string{"team": "blue", "kind": "daily"},
			State: "completed", Opened: hours(1), Closed: hours(6), Seq: 3,
		},
		"c": {
			Run: "c", Tags: map[string]string{"team": "blue", "kind": "adhoc"},
			State: "failed", Opened: hours(2), Closed: hours(5), Seq: 2,
		},
		"d": {
			Run: "d", Tags: map[string]string{"team": "red", "kind": "adhoc"},
			State: statelog.Running, Opened: hours(3), Seq: 3,
		},
	}, infos)
}

func newestFirst(s *suite) {
	s.openRuns()
	require.Equal(s, []string{"d", "c", "b", "a"}, s.found(statelog.Query{}))
}

func runsByTags(s *suite) {
	s.openRuns()
	tags := func(pairs ...string) statelog.Query {
		return statelog.Query{Tags: opening(epoch, pairs...).Opened.Tags}
	}
	require.Equal(s, []string{"c", "b"}, s.found(tags("team", "blue")))
	require.Equal(s, []string{"b"}, s.found(tags("team", "blue", "kind", "daily")))
	require.Empty(s, s.found(tags("team", "green")))
	require.Empty(s, s.found(tags("owner", "")), "a tag that no run has, with an empty value")
}

func runsByState(s *suite) {
	s.openRuns()
	states := func(states ...string) statelog.Query { return statelog.Query{States: states} }
	require.Equal(s, []string{"d", "a"}, s.found(states(statelog.Running)))
	require.Equal(s, []string{"c"}, s.found(states("failed")), "d was reopened")
	require.Equal(s, []string{"c", "b"}, s.found(states("completed", "failed")))
	require.Empty(s, s.found(states("killed")))
}

func runsByTime(s *suite) {
	s.openRuns()
	between := func(since, until time.Time) statelog.Query {
		return statelog.Query{Since: since, Until: until}
	}
	none := time.Time{}
	require.Equal(s, []string{"d", "c", "b"}, s.found(between(hours(1), none)), "since 1")
	require.Equal(s, []string{"b", "a"}, s.found(between(none, hours(2))), "until 2")
	require.Equal(s, []string{"c", "b"}, s.found(between(hours(1), hours(3))), "from 1 to 3")
	require.Empty(s, s.found(between(hours(4), none)), "since 4")
}

func runsByLimit(s *suite) {
	s.openRuns()
	require.Equal(s, []string{"d"}, s.found(statelog.Query{Limit: 1}))
	require.Equal(s, []string{"d", "c", "b"}, s.found(statelog.Query{Limit: 3}))
	require.Equal(s, []string{"d", "c", "b", "a"}, s.found(statelog.Query{Limit: 9}))
	q := statelog.Query{Tags: map[string]string{"kind": "daily"}, Limit: 1}
	require.Equal(s, []string{"b"}, s.found(q), "the limit counts what matches")
}

func appendInRuns(s *suite) {
	s.openRuns()
	for info, err := range s.log.Runs(s.Context(), statelog.Query{}) {
		require.NoError(s, err)
		if !s.promptly(info.Run, info.Seq, numbered(1)) {
			return
		}
	}
}
