package memlog_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/memlog"
	"github.com/daggy-go/daggy/statelog/statelogtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	t.Parallel()
	statelogtest.Run(t, statelogtest.Config{
		New: func(testing.TB) statelog.StateLogger { return memlog.New() },
	})
}
