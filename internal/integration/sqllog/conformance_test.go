package sqllog_test

import (
	"database/sql"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/sqllog"
	"github.com/daggy-go/daggy/statelog/statelogtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, d := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			logs := &opened{places: make(map[statelog.StateLogger]place)}
			statelogtest.Run(t, statelogtest.Config{
				New: func(tb testing.TB) statelog.StateLogger {
					tb.Helper()
					c := sqllog.Config{
						Dialect: d.dialect, Prefix: nextPrefix(), Lease: 2 * time.Second,
					}
					return logs.open(tb, place{d.open(tb), c})
				},
				Reopen: func(tb testing.TB, log statelog.StateLogger) statelog.StateLogger {
					tb.Helper()
					return logs.open(tb, logs.place(log))
				},
				Lose: func(tb testing.TB, log statelog.StateLogger, run, _ string) {
					tb.Helper()
					p := logs.place(log)
					_, err := p.db.ExecContext(tb.Context(), "UPDATE "+p.config.Prefix+
						"locks SET engine = 'somebody else' WHERE run = $1", run)
					require.NoError(tb, err)
				},
			})
		})
	}
}

// opened knows where logs have their tables.
type opened struct {
	mu     sync.Mutex
	places map[statelog.StateLogger]place
}

type place struct {
	db     *sql.DB
	config sqllog.Config
}

func (o *opened) open(tb testing.TB, p place) statelog.StateLogger {
	tb.Helper()
	log := newLog(tb, p.db, p.config)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.places[log] = p
	return log
}

func (o *opened) place(log statelog.StateLogger) place {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.places[log]
}
