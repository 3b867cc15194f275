package servertest_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/daggy-go/daggy/internal/integration/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPostgresKeepsWhatWasCommitted(t *testing.T) {
	t.Parallel()
	pg := servertest.StartPostgres(t)
	db := pg.Open(t)
	exec := func(query string) {
		t.Helper()
		_, err := db.ExecContext(t.Context(), query)
		require.NoError(t, err)
	}
	exec("CREATE TABLE t (n int)")
	exec("INSERT INTO t VALUES (1)")
	for name, stop := range map[string]func(testing.TB){"stop": pg.Stop, "kill": pg.Kill} {
		stop(t)
		require.Error(t, db.PingContext(t.Context()), "it answers after %s", name)
		pg.Start(t)
		var n int
		require.NoError(t, db.QueryRowContext(t.Context(), "SELECT n FROM t").Scan(&n), name)
	}
}

func TestPausedPostgresDoesNotAnswer(t *testing.T) {
	t.Parallel()
	pg := servertest.StartPostgres(t)
	db := pg.Open(t)
	require.NoError(t, db.PingContext(t.Context()))
	pg.Pause(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, db.PingContext(ctx), context.DeadlineExceeded)
	pg.Continue(t)
	require.NoError(t, db.PingContext(t.Context()))
}
