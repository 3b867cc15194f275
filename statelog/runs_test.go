package statelog_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/memlog"
)

func TestInfoFollowsTheRecords(t *testing.T) {
	t.Parallel()
	at := func(minute int) time.Time {
		return time.Date(2026, time.May, 4, 3, minute, 0, 0, time.UTC)
	}
	tags := map[string]string{"team": "blue"}
	info := statelog.RunInfo{Run: "r"}
	for _, step := range []struct {
		rec  statelog.Record
		want statelog.RunInfo
	}{
		{
			statelog.Record{
				Kind: statelog.Opened, Time: at(1), Opened: &statelog.Opening{Tags: tags},
			},
			statelog.RunInfo{Run: "r", Tags: tags, State: statelog.Running, Opened: at(1), Seq: 1},
		},
		{
			statelog.Record{Kind: statelog.Intent, Time: at(2)},
			statelog.RunInfo{Run: "r", Tags: tags, State: statelog.Running, Opened: at(1), Seq: 2},
		},
		{
			statelog.Record{Kind: statelog.Closed, Time: at(3), State: "failed"},
			statelog.RunInfo{
				Run: "r", Tags: tags, State: "failed", Opened: at(1), Closed: at(3), Seq: 3,
			},
		},
		{
			statelog.Record{Kind: statelog.Reopened, Time: at(4)},
			statelog.RunInfo{Run: "r", Tags: tags, State: statelog.Running, Opened: at(1), Seq: 4},
		},
	} {
		info.Add(&step.rec)
		require.Equal(t, step.want, info, "after %s", step.rec.Kind)
	}
}

func TestQueryMatch(t *testing.T) {
	t.Parallel()
	opened := time.Date(2026, time.May, 4, 3, 2, 1, 0, time.UTC)
	info := statelog.RunInfo{
		Run: "r", State: "failed", Opened: opened, Tags: map[string]string{"a": "1", "b": ""},
	}
	for _, tc := range []struct {
		name  string
		query statelog.Query
		want  bool
	}{
		{"everything", statelog.Query{}, true},
		{"limits are not for a match", statelog.Query{Limit: -1}, true},
		{"a tag", statelog.Query{Tags: map[string]string{"a": "1"}}, true},
		{"both tags", statelog.Query{Tags: map[string]string{"a": "1", "b": ""}}, true},
		{"another value", statelog.Query{Tags: map[string]string{"a": "2"}}, false},
		{"a tag that is not there", statelog.Query{Tags: map[string]string{"c": ""}}, false},
		{"its state", statelog.Query{States: []string{"killed", "failed"}}, true},
		{"another state", statelog.Query{States: []string{statelog.Running}}, false},
		{"since then", statelog.Query{Since: opened}, true},
		{"since later", statelog.Query{Since: opened.Add(1)}, false},
		{"until then", statelog.Query{Until: opened}, false},
		{"until later", statelog.Query{Until: opened.Add(1)}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, tc.query.Match(info))
		})
	}
}

// A wrapper hides nothing but what it has itself.
type wrapper struct{ statelog.StateLogger }

func (w wrapper) Unwrap() statelog.StateLogger { return w.StateLogger }

type lockable struct{ *memlog.Log }

func (lockable) Lock(context.Context, string, string) (func() error, error) {
	return func() error { return nil }, nil
}

func TestAsLooksThroughWrappers(t *testing.T) {
	t.Parallel()
	log := memlog.New()
	immediate, ok := statelog.As[statelog.Immediate](wrapper{wrapper{log}})
	require.True(t, ok)
	require.Same(t, log, immediate)
	_, ok = statelog.As[statelog.Locker](wrapper{log})
	require.False(t, ok)
	_, ok = statelog.As[statelog.Locker](wrapper{lockable{log}})
	require.True(t, ok)
	_, ok = statelog.As[statelog.Locker](nil)
	require.False(t, ok)
}
