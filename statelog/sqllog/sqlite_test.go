package sqllog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/statelogtest"
)

// answers makes statements fail by how they begin. The first BEGIN waits for
// gate, if there is one.
func answers(errs map[string]error, gate chan struct{}) func(context.Context, string, []any) (
	int64, error,
) {
	return func(_ context.Context, query string, _ []any) (int64, error) {
		if query == "BEGIN IMMEDIATE" && gate != nil {
			<-gate
		}
		return 1, errs[query]
	}
}

func TestAppendsThatWaitShareACommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, gate := &fakeServer{}, make(chan struct{})
		log := newFakeLog(t, server, Config{Dialect: SQLite})
		server.exec = answers(nil, gate)
		const runs = 20
		ends := make(chan error, runs)
		for i := range runs {
			go func() {
				_, err := log.Append(t.Context(), fmt.Sprint("run ", i), 1,
					statelogtest.Records()[1:3])
				ends <- err
			}()
		}
		synctest.Wait() // one has the turn and is at the gate, the others wait
		close(gate)
		for range runs {
			require.NoError(t, <-ends)
		}
		sent := server.statements()
		require.Equal(t, 2, count(sent, "COMMIT"))
		require.Equal(t, runs, count(sent, "UPDATE daggy_runs"))
		require.Equal(t, runs, count(sent, "INSERT INTO"))
	})
}

func count(sent []string, text string) int {
	n := 0
	for _, s := range sent {
		if s == text {
			n++
		}
	}
	return n
}

func TestAppendWhoseTimeIsOverIsWithdrawn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, gate := &fakeServer{}, make(chan struct{})
		log := newFakeLog(t, server, Config{Dialect: SQLite})
		server.exec = answers(nil, gate)
		first := make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_, err := log.Append(ctx, "first", 1, statelogtest.Records()[1:3])
			first <- err
		}()
		synctest.Wait()
		second := make(chan error)
		go func() {
			_, err := log.Append(ctx, "second", 1, statelogtest.Records()[1:3])
			second <- err
		}()
		synctest.Wait()
		cancel()
		err := <-second
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, statelog.ErrAmbiguous)
		close(gate)
		require.NoError(t, <-first, "what has begun is brought to an end")
		require.Equal(t, 1, count(server.statements(), "UPDATE daggy_runs"))
	})
}

func TestSQLiteErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, tc := range []struct {
		name      string
		errs      map[string]error
		ambiguous bool
		last      string
	}{
		{"busy", map[string]error{"BEGIN IMMEDIATE": broken}, false, "BEGIN IMMEDIATE"},
		{"commit", map[string]error{"COMMIT": broken}, false, "ROLLBACK"},
		{
			"commit, and no rollback",
			map[string]error{"COMMIT": broken, "ROLLBACK": broken},
			true, "ROLLBACK",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			server := &fakeServer{}
			log := newFakeLog(t, server, Config{Dialect: SQLite})
			server.exec = answers(tc.errs, nil)
			_, err := log.Append(t.Context(), "run", 0, statelogtest.Records())
			require.ErrorIs(t, err, broken)
			require.Equal(t, tc.ambiguous, errors.Is(err, statelog.ErrAmbiguous))
			sent := server.statements()
			require.Equal(t, tc.last, sent[len(sent)-1])
			require.Equal(t, tc.last == "ROLLBACK", slices.Contains(sent, "COMMIT"))
		})
	}
}
