package redislog_test

import (
	"testing"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/redislog"
	"github.com/daggy-go/daggy/statelog/statelogtest"
)

// The suite is run against real servers too, in internal/integration.
func TestConformance(t *testing.T) {
	t.Parallel()
	statelogtest.Run(t, statelogtest.Config{
		New: func(tb testing.TB) statelog.StateLogger {
			tb.Helper()
			_, client := connect(tb)
			return open(tb, client, redislog.Config{})
		},
		Records: 10_000,
	})
}
