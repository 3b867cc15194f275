package agent_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/daggy-go/daggy/executor/executortest"
	"github.com/daggy-go/daggy/internal/helperproc"
)

func TestMain(m *testing.M) {
	executortest.Main()
	helperproc.Main(map[string]helperproc.Mode{
		"daemon": playDaemon, "reference": playReference, "mark": playMark,
		"hold": playHold,
	})
	goleak.VerifyTestMain(m)
}
