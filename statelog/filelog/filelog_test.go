package filelog_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/filelog"
	"github.com/daggy-go/daggy/statelog/statelogtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	t.Parallel()
	statelogtest.Run(t, statelogtest.Config{
		New: func(tb testing.TB) statelog.StateLogger {
			tb.Helper()
			return openLog(tb, tb.TempDir())
		},
		Reopen: func(tb testing.TB, log statelog.StateLogger) statelog.StateLogger {
			tb.Helper()
			closed, ok := log.(*filelog.Log)
			require.True(tb, ok)
			require.NoError(tb, closed.Close())
			return openLog(tb, closed.Dir())
		},
	})
}
