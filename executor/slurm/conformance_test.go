//go:build linux

package slurm_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/executortest"
	"github.com/daggy-go/daggy/executor/slurm"
)

func TestMain(m *testing.M) {
	executortest.Main() // this binary plays the jobs
	goleak.VerifyTestMain(m)
}

// The rules, on a cluster that is a fake but for its jobs. Package
// internal/integration/slurm has the same on a real one.
func TestConformance(t *testing.T) {
	t.Parallel()
	type place struct {
		dir string
		c   *cluster
	}
	places := map[executor.Executor]place{}
	open := func(p place, grace time.Duration) executor.Executor {
		c := p.c.config(p.dir)
		c.Grace, c.ArrayWait = grace, 5*time.Millisecond
		e := slurm.New(c)
		places[e] = p
		return e
	}
	fresh := func(tb testing.TB, grace time.Duration) executor.Executor {
		tb.Helper()
		return open(place{tb.TempDir(), newCluster(tb)}, grace)
	}
	const patient, impatient = 10 * time.Second, 100 * time.Millisecond
	executortest.Run(t, executortest.Config{
		New: func(tb testing.TB) executor.Executor {
			tb.Helper()
			return fresh(tb, patient)
		},
		Impatient: func(tb testing.TB) executor.Executor {
			tb.Helper()
			return fresh(tb, impatient)
		},
		Restart: func(_ testing.TB, ex executor.Executor) executor.Executor {
			return open(places[ex], patient)
		},
		Kill:       func(_ testing.TB, ex executor.Executor) { places[ex].c.kill() },
		Jobs:       executortest.Processes(),
		Concurrent: 50, // each is a shell
		Weaker:     executortest.Weaker{NoPanics: "commands are other processes"},
	})
}
