package sqllog

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/statelogtest"
)

// A stateError is an answer of the server, as drivers give it.
type stateError string

func (e stateError) Error() string    { return "SQLSTATE " + string(e) }
func (e stateError) SQLState() string { return string(e) }

func TestWhatIsWrongWithConfig(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Config{
		"no dialect":       {},
		"unknown dialect":  {Dialect: "mysql"},
		"prefix injection": {Dialect: SQLite, Prefix: "x; DROP TABLE y"},
		"upper case":       {Dialect: SQLite, Prefix: "Daggy"},
		"long prefix":      {Dialect: SQLite, Prefix: "a123456789b123456789c123456789d123456789"},
		"short lease":      {Dialect: SQLite, Lease: time.Millisecond},
		"negative lease":   {Dialect: SQLite, Lease: -time.Minute},
	} {
		_, err := Open(t.Context(), nil, c)
		require.Error(t, err, name)
	}
}

func TestStatementsAreWhole(t *testing.T) {
	t.Parallel()
	for _, dialect := range []Dialect{Postgres, SQLite} {
		s := newStatements(Config{Dialect: dialect, Prefix: "x_"})
		for _, text := range s.texts() {
			require.NotRegexp(t, `\{[a-z]`, *text)
			if dialect == SQLite {
				require.NotContains(t, *text, "$")
			}
		}
	}
}

func TestAppendErrors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name      string
		err       error
		ambiguous bool
	}{
		{"the answer is lost", io.ErrUnexpectedEOF, true},
		{"the time is over", context.DeadlineExceeded, true},
		{"an error of the driver", errors.New("something"), true},
		{"the server is going down", stateError("57P01"), true},
		{"the server has crashed", stateError("57P02"), true},
		{"the connection is in error", stateError("08006"), true},
		{"completion is not known", stateError("40003"), true},
		{"a fault inside", stateError("XX000"), true},
		{"no state", stateError(""), true},
		{"wrapped", fmt.Errorf("exec: %w", stateError("57P01")), true},
		{"cancelled", stateError("57014"), false},
		{"not serializable", stateError("40001"), false},
		{"deadlock", stateError("40P01"), false},
		{"read only", stateError("25006"), false},
		{"disk full", stateError("53100"), false},
		{"no such table", fmt.Errorf("exec: %w", stateError("42P01")), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			server := &fakeServer{}
			log := newFakeLog(t, server, Config{})
			server.exec = func(context.Context, string, []any) (int64, error) { return 0, tc.err }
			_, err := log.Append(t.Context(), "run", 0, statelogtest.Records())
			require.ErrorIs(t, err, tc.err)
			require.Equal(t, tc.ambiguous, errors.Is(err, statelog.ErrAmbiguous), "%v", err)
			require.NotErrorIs(t, err, statelog.ErrFenced)
		})
	}
}

func TestNothingSentIsNotAmbiguous(t *testing.T) {
	t.Parallel()
	server := &fakeServer{}
	log := newFakeLog(t, server, Config{})
	away := errors.New("connection refused")
	server.exec = func(context.Context, string, []any) (int64, error) {
		server.on(func() { server.connect = func() error { return away } })
		return 0, driver.ErrBadConn
	}
	_, err := log.Append(t.Context(), "run", 0, statelogtest.Records())
	require.ErrorIs(t, err, away)
	require.NotErrorIs(t, err, statelog.ErrAmbiguous)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = log.Append(ctx, "run", 0, statelogtest.Records())
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, statelog.ErrAmbiguous)
}

func TestConnectionsThatAreGoneAreTriedNoMore(t *testing.T) {
	t.Parallel()
	server := &fakeServer{}
	log := newFakeLog(t, server, Config{})
	gone := 10
	server.exec = func(context.Context, string, []any) (int64, error) {
		if gone--; gone >= 0 {
			return 0, driver.ErrBadConn
		}
		return 1, nil
	}
	end, err := log.Append(t.Context(), "run", 4, statelogtest.Records()[:2])
	require.NoError(t, err)
	require.Equal(t, uint64(6), end)
	require.Len(t, server.statements(), 11)
}

// An append in doubt is forbidden before anything else is done with the run.
func TestDoubtIsSettledFirst(t *testing.T) {
	t.Parallel()
	server := &fakeServer{}
	log := newFakeLog(t, server, Config{})
	var token any
	server.exec = func(_ context.Context, _ string, args []any) (int64, error) {
		token = args[3]
		return 0, io.EOF
	}
	_, err := log.Append(t.Context(), "run", 4, statelogtest.Records()[1:3])
	require.ErrorIs(t, err, statelog.ErrAmbiguous)

	away := errors.New("away")
	server.exec = func(context.Context, string, []any) (int64, error) { return 0, away }
	_, err = log.Append(t.Context(), "run", 4, statelogtest.Records()[1:3])
	require.ErrorIs(t, err, away)
	require.NotErrorIs(t, err, statelog.ErrAmbiguous, "the append itself was not tried")

	var voided []any
	server.exec = func(_ context.Context, _ string, args []any) (int64, error) {
		voided = args
		return 1, nil
	}
	for _, err := range log.Read(t.Context(), "run", 0) {
		require.ErrorIs(t, err, statelog.ErrNoRun)
	}
	require.Equal(t, []any{"run", token}, voided)
	_, err = log.Append(t.Context(), "run", 4, statelogtest.Records()[1:3])
	require.NoError(t, err)
	require.Equal(t, []string{
		"WITH advanced", "UPDATE daggy_runs", "UPDATE daggy_runs", "SELECT id,", "WITH advanced",
	}, server.statements())
}

func TestRewoundDatabaseIsFoundOut(t *testing.T) {
	t.Parallel()
	server := &fakeServer{}
	log := newFakeLog(t, server, Config{})
	_, err := log.Append(t.Context(), "run", 4, statelogtest.Records()[1:3])
	require.NoError(t, err)
	server.exec = func(context.Context, string, []any) (int64, error) { return 0, nil }
	for name, row := range map[string][]driver.Value{
		"fewer records": {int64(1), int64(5)},
		"no run":        nil,
	} {
		server.query = func(string, []any) ([]driver.Value, error) { return row, nil }
		_, err = log.Append(t.Context(), "run", 6, statelogtest.Records()[1:3])
		require.ErrorIs(t, err, statelog.ErrLogRewound, name)
		for _, err := range log.Read(t.Context(), "run", 0) {
			require.ErrorIs(t, err, statelog.ErrLogRewound, name)
		}
	}
	server.query = func(string, []any) ([]driver.Value, error) {
		return []driver.Value{int64(1), int64(7)}, nil
	}
	_, err = log.Append(t.Context(), "run", 6, statelogtest.Records()[1:3])
	require.ErrorIs(t, err, statelog.ErrFenced)
}
