package crash_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"github.com/daggy-go/daggy/internal/helperproc"
)

var (
	killsFlag = flag.Int("kills", 60, "how often TestKill kills an engine")
	seedFlag  = flag.Uint64("seed", 0, "what is random derives from it; 0: from the clock")
)

func TestMain(m *testing.M) {
	helperproc.Main(map[string]helperproc.Mode{
		"engine": engine,
		"work":   work,
		"list":   list,
	})
	goleak.VerifyTestMain(m)
}
