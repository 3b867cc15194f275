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

// Everything that both databases are to do is tested in one server each.
func TestOnEveryDatabase(t *testing.T) {
	t.Parallel()
	for name, d := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("conformance", func(t *testing.T) { conformance(t, d) })
			t.Run("many migrate at once", func(t *testing.T) { manyMigrateAtOnce(t, d) })
			t.Run("newer tables are refused", func(t *testing.T) { newerTablesAreRefused(t, d) })
			t.Run("damaged tables", func(t *testing.T) { damagedTables(t, d) })
			t.Run("restored", func(t *testing.T) { databaseThatWasRestored(t, d) })
			t.Run("prune", func(t *testing.T) { pruneClosedRuns(t, d) })
			t.Run("cut off", func(t *testing.T) { lockOfAnEngineThatIsCutOff(t, d) })
			t.Run("lock taken", func(t *testing.T) { lockThatWasTakenIsLost(t, d) })
			t.Run("batches of all sizes", func(t *testing.T) { batchesOfAllSizesAreRead(t, d) })
		})
	}
}

func conformance(t *testing.T, d database) {
	t.Helper()
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
