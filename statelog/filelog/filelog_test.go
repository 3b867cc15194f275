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
			log, err := filelog.Open(tb.Context(), tb.TempDir(), filelog.Config{})
			require.NoError(tb, err)
			tb.Cleanup(func() { require.NoError(tb, log.Close()) })
			return log
		},
	})
}
