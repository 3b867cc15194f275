package fork_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/daggy-go/daggy/executor/executortest"
	"github.com/daggy-go/daggy/internal/helperproc"
)

func TestMain(m *testing.M) {
	executortest.Main()
	helperproc.Main(engines())
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		// What programs that were killed have left behind is removed by the next one.
		leaveNothing()
		os.Exit(code)
	}))
}
