package redislog_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/redislog"
)

func closed(at time.Time) statelog.Record {
	return statelog.Record{Kind: statelog.Closed, Time: at, State: "completed"}
}

// runs returns the IDs of the runs that match, the newest first.
func runs(t *testing.T, log *redislog.Log, q statelog.Query) (ids []string) {
	t.Helper()
	for info, err := range log.Runs(t.Context(), q) {
		require.NoError(t, err)
		ids = append(ids, info.Run)
	}
	return ids
}

func TestPruneByCount(t *testing.T) {
	t.Parallel()
	server, client := connect(t)
	log := open(t, client, redislog.Config{})
	now := time.Now()
	for i := range 6 {
		run := fmt.Sprint(i)
		appended(t, log, run, 0, opened(), task(1))
		if i != 2 {
			// The later it was opened the earlier it was closed.
			appended(t, log, run, 2, closed(now.Add(-time.Duration(i)*time.Hour)))
		}
	}
	removed, err := log.Prune(t.Context(), statelog.Retention{Count: 2})
	require.NoError(t, err)
	require.Equal(t, 3, removed)
	require.Equal(t, []string{"2", "1", "0"}, runs(t, log, statelog.Query{}))
	for _, key := range server.Keys() {
		if strings.HasPrefix(key, "{daggy}:gone:") {
			require.NotZero(t, server.TTL(key), "%s is kept for ever", key)
			continue
		}
		require.NotContains(t, key, ":5", "a run was removed in part")
	}
}

func TestPruneByAge(t *testing.T) {
	t.Parallel()
	_, client := connect(t)
	log := open(t, client, redislog.Config{})
	now := time.Now()
	for i := range 4 {
		appended(t, log, fmt.Sprint(i), 0, opened(), closed(now.Add(-time.Duration(i)*time.Hour)))
	}
	keep := statelog.Retention{Age: 90 * time.Minute}
	removed, err := log.Prune(t.Context(), keep)
	require.NoError(t, err)
	require.Equal(t, 2, removed)
	require.Equal(t, []string{"1", "0"}, runs(t, log, statelog.Query{}))
	removed, err = log.Prune(t.Context(), statelog.Retention{})
	require.NoError(t, err)
	require.Zero(t, removed, "the zero Retention keeps all of them")
}

// A run that was removed is gone, not lost: also for a program that did not
// remove it.
func TestPrunedIsNotRewound(t *testing.T) {
	t.Parallel()
	_, client := connect(t)
	log, other := open(t, client, redislog.Config{}), open(t, client, redislog.Config{})
	appended(t, log, "run", 0, opened(), closed(time.Now().Add(-time.Hour)))
	removed, err := other.Prune(t.Context(), statelog.Retention{Age: time.Minute})
	require.NoError(t, err)
	require.Equal(t, 1, removed)
	_, err = log.Append(t.Context(), "run", 2, []statelog.Record{{Kind: statelog.Reopened}})
	require.ErrorIs(t, err, statelog.ErrNoRun)
	for _, err := range log.Read(t.Context(), "run", 0) {
		require.ErrorIs(t, err, statelog.ErrNoRun)
	}
	appended(t, log, "run", 0, opened())
	require.Equal(t, []int{0}, read(t, log, "run"), "the ID may be used again")
}

// What is reopened is not closed any more.
func TestReopenedRunsAreKept(t *testing.T) {
	t.Parallel()
	_, client := connect(t)
	log := open(t, client, redislog.Config{})
	appended(t, log, "run", 0, opened(), closed(time.Now().Add(-time.Hour)))
	appended(t, log, "run", 2, statelog.Record{Kind: statelog.Reopened, Time: time.Now()})
	removed, err := log.Prune(t.Context(), statelog.Retention{Age: time.Minute, Count: 1})
	require.NoError(t, err)
	require.Zero(t, removed)
	open := statelog.Query{States: []string{statelog.Running}}
	require.Equal(t, []string{"run"}, runs(t, log, open))
}

// Runs asks for pages of the index.
func TestManyRuns(t *testing.T) {
	t.Parallel()
	_, client := connect(t)
	log := open(t, client, redislog.Config{NoDocuments: true})
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	const n = 600
	var want []string
	for i := range n {
		rec := statelog.Record{Kind: statelog.Opened, Time: at.Add(time.Duration(i) / 3)}
		appended(t, log, fmt.Sprint(i), 0, rec)
		want = append([]string{fmt.Sprint(i)}, want...)
	}
	require.Equal(t, want, runs(t, log, statelog.Query{}), "those of an instant in their order")
	require.Equal(t, want[:300], runs(t, log, statelog.Query{Limit: 300}))
	between := statelog.Query{Since: at.Add(1), Until: at.Add(199)}
	require.Equal(t, want[3:n-3], runs(t, log, between))
}
