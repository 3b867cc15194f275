package sqllog_test

import (
	"testing"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/sqllog"
	"github.com/daggy-go/daggy/statelog/statelogtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, d := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			statelogtest.Run(t, statelogtest.Config{
				New: func(tb testing.TB) statelog.StateLogger {
					tb.Helper()
					return newLog(tb, d.open(tb), sqllog.Config{Dialect: d.dialect})
				},
			})
		})
	}
}
